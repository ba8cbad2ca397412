/* SPDX-License-Identifier: MIT */
/* The port is claimed and protected: nobody holds it, and the kernel refuses it to strangers. */
#include "case.h"

static void protect(struct scene *s)
{
	char line[128];

	snprintf(line, sizeof(line), "pd claim case:protected%u -p %u --protect -q >/dev/null 2>&1",
		 s->port, s->port);
	if (system(line) != 0) /* NOLINT: the case's own words */
		skip("this kernel refuses nothing for a claim");
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	need(s->fd >= 0 && endpoint_bind(s->fd, &s->attempt, s->port) < 0);
	if (errno == EPERM)
		skip("a program of a cgroup chooses no errno here");
	close(s->fd);
	s->fd = -1;
}

static void release(struct scene *s)
{
	command("pd release case:protected%u -q >/dev/null", s->port);
}

const struct scenario scenario = {
	.verdict = "protected",
	.maybe_incomplete = true,
	.attempt = { .addr = "127.0.0.1", .user = 1 },
	.in_the_daemons_netns = true,
	.set_up = protect,
	.remedy = release,
};
