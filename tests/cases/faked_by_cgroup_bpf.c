/* SPDX-License-Identifier: MIT */
/* A BPF program on the victim's cgroup answers with an errno of its choice; the port is free. */
#include "case.h"
#include "case_cgroup.h"

static void attach(struct scene *s)
{
	cgroup_start_refusing(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_BIND, EADDRINUSE);
}

const struct scenario scenario = {
	.verdict = "faked_by_cgroup_bpf",
	.live = "free", /* of anybody outside of the cgroup */
	.error = EADDRINUSE,
	.complete = COMPLETE_OR_NOT,
	.attempt = { .addr = "127.0.0.1", .user = 1 },
	.set_up = attach,
	.remedy = cgroup_stop_program,
};
