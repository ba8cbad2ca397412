/* SPDX-License-Identifier: MIT */
/* bind() on a socket that has a port already. */
#include "case.h"

static void bind_elsewhere(struct scene *s)
{
	s->fd = endpoint_open(&s->attempt);
	if (!s->remedied)
		need(endpoint_bind(s->fd, &s->attempt, (uint16_t)(s->port + 1)) == 0);
}

static void allow_victim(struct scene *s)
{
	may_be_named(s, s->victim.pid);
}

const struct scenario scenario = {
	.verdict = "already_bound",
	.live = "free",
	.error = EINVAL,
	.attempt = { .addr = "127.0.0.1" },
	.prepare = bind_elsewhere,
	.arm = allow_victim,
	.remedy = change_victim,
};
