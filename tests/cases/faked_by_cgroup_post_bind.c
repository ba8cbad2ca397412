/* SPDX-License-Identifier: MIT */
/* A BPF program answers EADDRINUSE once the socket has its port; nobody else had it. */
#include "case.h"
#include "case_cgroup.h"

const struct scenario scenario = {
	.verdict = "faked_by_cgroup_bpf",
	.live = "free", /* of anybody outside of the cgroup */
	.maybe_incomplete = true,
	.attempt = { .family = AF_INET6, .addr = "::1", .user = 1 },
	.set_up = cgroup_refuse_post_bind,
	.remedy = cgroup_stop_program,
};
