/* SPDX-License-Identifier: MIT */
/* A BPF program answers EADDRINUSE once the socket has its port; nobody else had it. */
#include "case.h"
#include "case_cgroup.h"

static void attach(struct scene *s)
{
	cgroup_start_refusing(BPF_PROG_TYPE_CGROUP_SOCK, BPF_CGROUP_INET6_POST_BIND, EADDRINUSE);
}

const struct scenario scenario = {
	.verdict = "faked_by_cgroup_bpf",
	.live = "free", /* of anybody outside of the cgroup */
	.error = EADDRINUSE,
	.complete = COMPLETE_OR_NOT,
	.attempt = { .family = AF_INET6, .addr = "::1", .user = 1 },
	.set_up = attach,
	.remedy = cgroup_stop_program,
};
