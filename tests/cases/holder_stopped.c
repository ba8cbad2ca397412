/* SPDX-License-Identifier: MIT */
/* The holder was stopped by Ctrl-Z; it does not even take a SIGTERM. */
#include "case.h"

static void stop_by_signal(struct scene *s)
{
	start_holder(s, run_listener);
	actor_signal(&s->first, SIGSTOP);
	need(waitpid(s->first.pid, NULL, WUNTRACED) == s->first.pid);
}

static void end_and_continue(struct scene *s)
{
	actor_signal(&s->first, SIGTERM);
	actor_signal(&s->first, SIGCONT);
	actor_wait(&s->first);
}

const struct scenario scenario = {
	.verdict = "holder_stopped",
	.set_up = stop_by_signal,
	.remedy = end_and_continue,
};
