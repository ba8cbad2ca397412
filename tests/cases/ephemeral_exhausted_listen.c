/* SPDX-License-Identifier: MIT */
/* listen() without bind(), and every port of the range is taken. */
#include "case_range.h"

static struct outcome listen_unbound(struct scene *s)
{
	return try_listen(endpoint_open(&s->attempt));
}

const struct scenario scenario = {
	.verdict = "ephemeral_exhausted",
	.live = "", /* no port to ask about */
	.call = CALL_LISTEN,
	.maybe_incomplete = true,
	.attempt = { .any_port = true },
	.set_up = take_all,
	.try = listen_unbound,
	.remedy = widen_range,
};
