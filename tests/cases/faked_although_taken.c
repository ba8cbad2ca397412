/* SPDX-License-Identifier: MIT */
/* A BPF program answers EADDRINUSE before the kernel looks: who has the port makes no difference.
 */
#include "case.h"
#include "case_cgroup.h"

static void attach(struct scene *s)
{
	s->first = actor_start(s, "holder", run_listener);
	cgroup_refuse_bind(s);
}

/* Both: with the program alone gone, the listener would be in the way. */
static void stop_both(struct scene *s)
{
	cgroup_stop_program(s);
	actor_kill(&s->first);
}

const struct scenario scenario = {
	.verdict = "faked_by_cgroup_bpf",
	.live = "", /* of others: the listener */
	.maybe_incomplete = true,
	.holder = { .addr = "127.0.0.1" },
	.attempt = { .addr = "127.0.0.1", .user = 1 },
	.set_up = attach,
	.remedy = stop_both,
};
