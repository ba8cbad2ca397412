/* SPDX-License-Identifier: MIT */
/* A process and all that are above it, as far as they live: more than struct process keeps. */
#ifndef PROVENANCE_ANCESTRY_H
#define PROVENANCE_ANCESTRY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/process.h"

#define ANCESTRY_MAX 64 /* a deeper shell is nobody's */

struct ancestry {
	struct process_id list[ANCESTRY_MAX]; /* the process itself first */
	size_t n;
};

void ancestry_read(pid_t pid, struct ancestry *ret);
bool ancestry_has(const struct ancestry *ancestry, const struct process_id *id);

#endif
