/* SPDX-License-Identifier: MIT */
/* A debugger has stopped the holder. */
#include <sys/ptrace.h>

#include "case.h"

static void run_debugger(struct scene *s)
{
	pid_t holder = s->first.pid;

	need(ptrace(PTRACE_SEIZE, holder, 0, 0) == 0);
	need(ptrace(PTRACE_INTERRUPT, holder, 0, 0) == 0);
	need(waitpid(holder, NULL, __WALL) == holder);
	tell(s, 0);
	need(ptrace(PTRACE_DETACH, holder, 0, 0) == 0);
	tell(s, 0);
}

static void trace_listener(struct scene *s)
{
	start_holder(s, run_listener);
	s->second = actor_start(s, "debugger", run_debugger);
}

static void detach_and_end(struct scene *s)
{
	actor_step(&s->second);
	actor_signal(&s->first, SIGTERM);
	actor_wait(&s->first);
}

const struct scenario scenario = {
	.verdict = "holder_traced",
	.set_up = trace_listener,
	.remedy = detach_and_end,
};
