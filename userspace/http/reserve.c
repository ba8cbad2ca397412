/* SPDX-License-Identifier: MIT */
#include "http/reserve.h"

#include <event2/event.h>
#include <stdlib.h>

/* Some hundred requests; nobody touches it, so that it takes a page or none. */
#define RESERVE_BYTES (256 * 1024)
#define SMALL_BYTES   4096

static void *reserve;

static bool give_up_for(size_t size)
{
	bool helps = size <= SMALL_BYTES && reserve;

	if (helps) {
		free(reserve);
		reserve = NULL;
	}
	return helps;
}

static void *allocate(size_t size)
{
	void *p = malloc(size);

	return p || !give_up_for(size) ? p : malloc(size);
}

static void *reallocate(void *old, size_t size)
{
	void *p = realloc(old, size);

	return p || !give_up_for(size) ? p : realloc(old, size);
}

void reserve_begin(void)
{
	event_set_mem_functions(allocate, reallocate, free);
	reserve_is_there();
}

bool reserve_is_there(void)
{
	if (!reserve)
		reserve = malloc(RESERVE_BYTES);
	return reserve;
}
