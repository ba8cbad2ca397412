/* SPDX-License-Identifier: MIT */
/*
 * A server that cannot be built says so, whatever was the part that failed.  calloc() is wrapped
 * at link time (see the Makefile), and libevent is given an allocator of ours: each allocation of
 * a start fails in turn.
 */
#include "world.h"

static size_t n_allocations, failing; /* failing: the one that does, from 1 on; 0 = none */

static bool fails(void)
{
	return ++n_allocations == failing;
}

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

static void *event_malloc(size_t size)
{
	return fails() ? NULL : malloc(size);
}

static void *event_realloc(void *p, size_t size)
{
	return fails() ? NULL : realloc(p, size);
}

static int start(struct world *w)
{
	const struct api_config config = {
		.loop = w->loop,
		.registry = w->registry,
		.inventory = w->inventory,
		.sentinel = w->sentinel,
		.database_path = w->database,
		.tracker = w->tracker,
	};
	int fd;

	unlink(w->socket);
	fd = world_listen(w);
	n_allocations = 0;
	return api_new(&config, fd, &w->api);
}

TEST_WITH(each_part_that_fails_is_told_and_nothing_of_the_others_stays, struct world *w)
{
	size_t all;

	api_free(w->api);
	w->api = NULL;
	assert_int_equal(start(w), 0);
	all = n_allocations;
	assert_in_range(all, 10, 1000);
	for (size_t i = 1; i <= all; i++) {
		int r;

		api_free(w->api);
		w->api = NULL;
		failing = i;
		r = start(w);
		failing = 0;
		if (r != -ENOMEM)
			fail_msg("allocation %zu of %zu failed, and api_new() returned %d", i, all,
				 r);
		assert_null(w->api);
	}
	assert_int_equal(start(w), 0);
}

int main(void)
{
	event_set_mem_functions(event_malloc, event_realloc, free);
	return cmocka_run_group_tests_name(__BASE_FILE__, tests, world_open, world_close);
}
