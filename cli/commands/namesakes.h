/* SPDX-License-Identifier: MIT */
/* A project's name in the place of a service's: nothing is called shop, and shop:web is. */
#ifndef CLI_COMMANDS_NAMESAKES_H
#define CLI_COMMANDS_NAMESAKES_H

#include <stdbool.h>

#include "base/identity.h"

#define NAMESAKES_SIZE (3 * IDENTITY_MAX + 64)

/* "no service is called 'shop' alone; shop:web and others are".  False where there are none. */
bool namesakes_find(const char *name, char ret[static NAMESAKES_SIZE]);

#endif
