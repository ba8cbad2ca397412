/* SPDX-License-Identifier: MIT */
/* A BPF program on the victim's cgroup refuses the socket once it has its port. */
#include "case.h"
#include "case_cgroup.h"

const struct scenario scenario = {
	.verdict = "denied_by_cgroup_post_bind",
	.live = "free", /* of anybody outside of the cgroup */
	.error = EPERM,
	.attempt = { .addr = "127.0.0.1", .user = 1 },
	.set_up = cgroup_refuse_post_bind,
	.remedy = cgroup_stop_program,
};
