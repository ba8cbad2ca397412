/* SPDX-License-Identifier: MIT */
/* A BPF program on the victim's cgroup binds UDP sockets to another address, where one is. */
#include "case.h"
#include "case_cgroup.h"

static void attach(struct scene *s)
{
	struct bpf_insn code[] = {
		BPF_SET(BPF_REG_2, (int32_t)htonl(0x7f000002)),
		BPF_STORE32(BPF_REG_1, USER_IP4, BPF_REG_2),
		BPF_SET(BPF_REG_0, 1),
		BPF_RETURN(),
	};

	start_holder(s, run_bound);
	cgroup_start_program(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_BIND, code, 4);
}

const struct scenario scenario = {
	.verdict = "port_rewritten_by_bpf",
	.live = "free", /* the address that was asked for is */
	.error = EADDRINUSE,
	.complete = COMPLETE_OR_NOT,
	.holder = { .type = SOCK_DGRAM, .addr = "127.0.0.2" },
	.attempt = { .type = SOCK_DGRAM, .addr = "127.0.0.1", .user = 1 },
	.set_up = attach,
	.remedy = cgroup_stop_program,
};
