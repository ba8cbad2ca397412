/* SPDX-License-Identifier: MIT */
/* Runs whose program has a number in its source, and another port instead. */
#ifndef RUNS_HARDCODED_H
#define RUNS_HARDCODED_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/identity.h"

struct registry;
struct run;

struct hardcoded_port {
	const struct run *run;		/* borrowed, until one begins or ends */
	uint16_t asked, port;		/* what stands in the source, and what it has */
	char service[IDENTITY_MAX + 1]; /* of the run, as `user` calls it; "" = of none */
};

/*
 * Those that the viewer may see whose program has the number in its source, or that port instead of
 * what stands there.  *ret is the caller's: free().  0, -ENOMEM.
 */
int hardcoded_find(struct registry *registry, uint16_t number, uid_t viewer, uid_t user,
		   struct hardcoded_port **ret, size_t *ret_n);

#endif
