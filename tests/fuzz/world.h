/* SPDX-License-Identifier: MIT */
/* A daemon's rooms in this process, opened by the first input, for all of them. */
#ifndef FUZZ_WORLD_H
#define FUZZ_WORLD_H

#include "fuzz/fuzz.h"
#include "unit/api/world.h"

static struct world *fuzz_world_opened;

static inline void fuzz_world_close(void)
{
	world_close((void **)&fuzz_world_opened);
}

static inline struct world *fuzz_world(void)
{
	if (!fuzz_world_opened) {
		must(world_open((void **)&fuzz_world_opened) == 0);
		atexit(fuzz_world_close);
	}
	return fuzz_world_opened;
}

#endif
