/* SPDX-License-Identifier: MIT */
/* What was meant by a name that no service has: shop, and shop:web has it; or shop:wbe. */
#ifndef CLI_COMMANDS_NAMESAKES_H
#define CLI_COMMANDS_NAMESAKES_H

#include <stdbool.h>

#include "base/identity.h"

#define NAMESAKES_SIZE (4 * IDENTITY_MAX + 96)

/* "no service is called 'shop' alone; shop:web and others are: pd find 'shop:*'".  False where
 * there are none, and none is near. */
bool namesakes_find(const char *name, char ret[static NAMESAKES_SIZE]);

#endif
