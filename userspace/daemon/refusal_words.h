/* SPDX-License-Identifier: MIT */
/* A refused call in the words of the audit trail: who asked for what, and who held it then. */
#ifndef DAEMON_REFUSAL_WORDS_H
#define DAEMON_REFUSAL_WORDS_H

#include "base/event.h"
#include "inventory/inventory.h"

#define REFUSAL_WORDS_SIZE 320

/*
 * "bind 0.0.0.0:3000: EADDRINUSE; held by node (94120)", and how often it came again since it was
 * last written down.  ret: REFUSAL_WORDS_SIZE bytes.
 */
void refusal_describe(const struct event *event, const struct inventory *inventory,
		      unsigned repeated, char *ret);

#endif
