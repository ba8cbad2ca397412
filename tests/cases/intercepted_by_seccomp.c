/* SPDX-License-Identifier: MIT */
/* A seccomp filter answers bind(); the kernel never looks at the port. */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/syscall.h>

#include "case.h"

static void filter_bind(struct scene *s)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_bind, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EADDRINUSE),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { .len = 4, .filter = code };

	if (!s->remedied)
		need(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0);
}

const struct scenario scenario = {
	.verdict = "intercepted_by_seccomp",
	.live = "free",
	.maybe_incomplete = true,
	.attempt = { .addr = "127.0.0.1" },
	.prepare = filter_bind,
	.remedy = change_victim,
};
