/* SPDX-License-Identifier: MIT */
/* The holder's cgroup is frozen: docker pause. */
#include "case.h"
#include "case_cgroup.h"

static void freeze_listener(struct scene *s)
{
	start_holder(s, run_listener);
	cgroup_make();
	cgroup_move(s->first.pid);
	cgroup_write("cgroup.freeze", "1");
	await(cgroup_is_frozen, s);
}

static void thaw_and_end(struct scene *s)
{
	cgroup_write("cgroup.freeze", "0");
	actor_signal(&s->first, SIGTERM);
	actor_wait(&s->first);
}

const struct scenario scenario = {
	.verdict = "holder_frozen",
	.set_up = freeze_listener,
	.remedy = thaw_and_end,
};
