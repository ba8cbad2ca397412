/* SPDX-License-Identifier: MIT */
/* The listening socket is a registered file of a ring; its descriptor is closed. */
#include "case.h"
#include "case_uring.h"

static void run_registered(struct scene *s)
{
	struct ring ring;
	int fd;

	ring_open(&ring);
	fd = holder_listen(s);
	ring_register(&ring, fd);
	close(fd);
	tell(s, 0);
	ring_unregister(&ring);
	tell(s, 0);
}

/* A ring gives its files back a moment later. */
static void unregister(struct scene *s)
{
	actor_step(&s->first);
	await(is_free, s);
}

const struct scenario scenario = {
	.verdict = "io_uring_file",
	.set_up = skip_without_ring,
	.run_holder = run_registered,
	.remedy = unregister,
};
