/* SPDX-License-Identifier: MIT */
/* A BPF program on the victim's cgroup answers with an errno of its choice; the port is free. */
#include "case.h"
#include "case_cgroup.h"

const struct scenario scenario = {
	.verdict = "faked_by_cgroup_bpf",
	.live = "free", /* of anybody outside of the cgroup */
	.maybe_incomplete = true,
	.attempt = { .addr = "127.0.0.1", .user = 1 },
	.set_up = cgroup_refuse_bind,
	.remedy = cgroup_stop_program,
};
