/* SPDX-License-Identifier: MIT */
/* A BPF program on the victim's cgroup refuses the address. */
#include "case.h"
#include "case_cgroup.h"

static void attach(struct scene *s)
{
	cgroup_start_refusing(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_BIND, 0);
}

const struct scenario scenario = {
	.verdict = "denied_by_cgroup_bpf",
	.live = "free", /* of anybody outside of the cgroup */
	.error = EPERM,
	.complete = COMPLETE_OR_NOT,
	.attempt = { .addr = "127.0.0.1", .user = 1 },
	.set_up = attach,
	.remedy = cgroup_stop_program,
};
