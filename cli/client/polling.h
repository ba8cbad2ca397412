/* SPDX-License-Identifier: MIT */
/* A daemon that only polls, in words: whoever starts one says so, with the command that mends it.
 */
#ifndef CLI_CLIENT_POLLING_H
#define CLI_CLIENT_POLLING_H

#include <stdbool.h>
#include <stddef.h>

#include "base/own_pd.h"

struct json_object;

#define POLLING_WORDS_SIZE (OWN_PD_SIZE + 320)

/* By its answer to /v1/status. */
bool polling_is(struct json_object *status);

/* "it misses refused binds and …; with eBPF: sudo pd daemon start", behind "only polls, so". */
const char *polling_words(struct json_object *status, char ret[POLLING_WORDS_SIZE]);

#endif
