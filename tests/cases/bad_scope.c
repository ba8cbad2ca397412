/* SPDX-License-Identifier: MIT */
/* A link-local address with the number of a link that does not exist. */
#include "case.h"

static void say_which_link(struct scene *s)
{
	s->attempt.scope = if_nametoindex("lo");
}

const struct scenario scenario = {
	.verdict = "bad_scope",
	.live = "", /* an option cannot name such a link */
	.error = ENODEV,
	.attempt = { .family = AF_INET6, .addr = "fe80::1", .scope = 9999 },
	.set_up_command = "ip addr add fe80::1/64 dev lo nodad",
	.remedy = say_which_link,
};
