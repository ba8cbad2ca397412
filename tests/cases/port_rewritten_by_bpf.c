/* SPDX-License-Identifier: MIT */
/* A BPF program on the victim's cgroup turns the asked port into another one, which is taken. */
#include "case.h"
#include "case_cgroup.h"

static void attach(struct scene *s)
{
	s->holder.port = (uint16_t)(s->port + 1);
	start_holder(s, run_listener);
	cgroup_rewrite_bind(s, USER_PORT, htons(s->holder.port));
}

const struct scenario scenario = {
	.verdict = "port_rewritten_by_bpf",
	.live = "free", /* the port that was asked for is */
	.maybe_incomplete = true,
	.holder = { .addr = "127.0.0.1" },
	.attempt = { .addr = "127.0.0.1", .user = 1 },
	.set_up = attach,
	.remedy = cgroup_stop_program,
};
