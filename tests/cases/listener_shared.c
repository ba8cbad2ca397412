/* SPDX-License-Identifier: MIT */
/* One listening socket, two processes: a server that forks its workers. */
#include "case.h"

static pid_t fork_worker(void)
{
	pid_t pid = fork();

	need(pid >= 0);
	while (pid == 0)
		pause();
	return pid;
}

static void run_master(struct scene *s)
{
	holder_listen(s);
	tell(s, fork_worker());
}

static void start_master(struct scene *s)
{
	s->first = actor_start(s, "master", run_master);
	must_be_named(s, s->first.pid);
	must_be_named(s, s->first.told);
}

static void stop_all(struct scene *s)
{
	pid_t worker = s->first.told;

	actor_kill(&s->first);
	kill_stray(worker);
}

const struct scenario scenario = {
	.verdict = "listener_shared",
	.set_up = start_master,
	.remedy = stop_all,
};
