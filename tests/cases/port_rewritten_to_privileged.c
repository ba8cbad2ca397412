/* SPDX-License-Identifier: MIT */
/* A BPF program on the victim's cgroup turns the asked port into one that only root may bind. */
#include "case.h"
#include "case_cgroup.h"

#define PRIVILEGED 80

static void attach(struct scene *s)
{
	struct bpf_insn code[] = {
		BPF_SET(BPF_REG_2, htons(PRIVILEGED)),
		BPF_STORE32(BPF_REG_1, USER_PORT, BPF_REG_2),
		BPF_SET(BPF_REG_0, 1),
		BPF_RETURN(),
	};

	cgroup_start_program(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET6_BIND, code, 4);
}

const struct scenario scenario = {
	.verdict = "port_rewritten_by_bpf",
	.live = "free", /* the port that was asked for is */
	.error = EACCES,
	.complete = COMPLETE_OR_NOT,
	.attempt = { .family = AF_INET6, .addr = "::1", .user = 1 },
	.set_up = attach,
	.remedy = cgroup_stop_program,
};
