/* SPDX-License-Identifier: MIT */
/* A BPF program on the victim's cgroup turns the asked port into one that only root may bind. */
#include "case.h"
#include "case_cgroup.h"

static void attach(struct scene *s)
{
	cgroup_rewrite_bind(s, USER_PORT, htons(80));
}

const struct scenario scenario = {
	.verdict = "port_rewritten_by_bpf",
	.live = "free", /* the port that was asked for is */
	.error = EACCES,
	.attempt = { .family = AF_INET6, .addr = "::1", .user = 1 },
	.set_up = attach,
	.remedy = cgroup_stop_program,
};
