/* SPDX-License-Identifier: MIT */
/* Who has a port by the number that stands in its source, and listens on another one instead. */
#ifndef CLI_SUPERVISE_HARDCODED_H
#define CLI_SUPERVISE_HARDCODED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/identity.h"

#define HARDCODED_WORDS_SIZE (2 * IDENTITY_MAX + 160)

/*
 * "3000→5742 is of shop:web, whose source has 3000: pd stop shop:web" for the command "stop", of
 * the caller's own runs; several are counted.  False, and "", where there is none.
 */
bool hardcoded_words(uint16_t port, const char *command, char ret[static HARDCODED_WORDS_SIZE]);

#endif
