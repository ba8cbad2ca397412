/* SPDX-License-Identifier: MIT */
/* A pending accept of a ring has the listening socket; its descriptor is closed. */
#include "case.h"
#include "case_uring.h"

static void run_accepting(struct scene *s)
{
	struct ring ring;
	int fd;

	ring_open(&ring);
	fd = holder_listen(s);
	ring_accept(&ring, fd);
	close(fd);
	tell(s, 0);
}

/* The kernel tears a ring down a moment after its process has ended. */
static void stop_and_wait(struct scene *s)
{
	actor_kill(&s->first);
	await(is_free, s);
}

const struct scenario scenario = {
	.verdict = "io_uring_request",
	.set_up = skip_without_ring,
	.run_holder = run_accepting,
	.remedy = stop_and_wait,
};
