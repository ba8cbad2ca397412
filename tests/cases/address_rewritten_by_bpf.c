/* SPDX-License-Identifier: MIT */
/* A BPF program on the victim's cgroup binds UDP sockets to another address, where one is. */
#include "case.h"
#include "case_cgroup.h"

static void attach(struct scene *s)
{
	start_holder(s, run_bound);
	cgroup_rewrite_bind(s, USER_IP4, htonl(0x7f000002));
}

const struct scenario scenario = {
	.verdict = "port_rewritten_by_bpf",
	.live = "free", /* the address that was asked for is */
	.maybe_incomplete = true,
	.holder = { .type = SOCK_DGRAM, .addr = "127.0.0.2" },
	.attempt = { .type = SOCK_DGRAM, .addr = "127.0.0.1", .user = 1 },
	.set_up = attach,
	.remedy = cgroup_stop_program,
};
