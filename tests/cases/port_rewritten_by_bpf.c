/* SPDX-License-Identifier: MIT */
/* A BPF program on the victim's cgroup turns the asked port into another one, which is taken. */
#include "case.h"
#include "case_cgroup.h"

static void attach(struct scene *s)
{
	struct bpf_insn code[] = {
		BPF_SET(BPF_REG_2, 0),
		BPF_STORE32(BPF_REG_1, USER_PORT, BPF_REG_2),
		BPF_SET(BPF_REG_0, 1),
		BPF_RETURN(),
	};

	s->holder.port = (uint16_t)(s->port + 1);
	start_holder(s, run_listener);
	code[0].imm = htons(s->holder.port);
	cgroup_start_program(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_BIND, code, 4);
}

const struct scenario scenario = {
	.verdict = "port_rewritten_by_bpf",
	.live = "free", /* the port that was asked for is */
	.error = EADDRINUSE,
	.complete = COMPLETE_OR_NOT,
	.holder = { .addr = "127.0.0.1" },
	.attempt = { .addr = "127.0.0.1", .user = 1 },
	.set_up = attach,
	.remedy = cgroup_stop_program,
};
