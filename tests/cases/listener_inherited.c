/* SPDX-License-Identifier: MIT */
/* The server is dead; a program that it had started has its listening socket. */
#include "case.h"

static pid_t start_inheritor(int fd)
{
	pid_t pid;

	need(fcntl(fd, F_SETFD, 0) == 0);
	pid = fork();
	need(pid >= 0);
	if (pid == 0) {
		execlp("sleep", "sleep", "600", NULL);
		_exit(127);
	}
	return pid;
}

static bool inheritor_sleeps(struct scene *s)
{
	char path[64], name[32];

	snprintf(path, sizeof(path), "/proc/%d/comm", s->holders[0]);
	read_file(path, name, sizeof(name));
	return strcmp(name, "sleep\n") == 0;
}

static void run_server(struct scene *s)
{
	tell(s, start_inheritor(holder_listen(s)));
}

static void start_and_lose_server(struct scene *s)
{
	s->first = actor_start(s, "server", run_server);
	must_be_named(s, s->first.told);
	await(inheritor_sleeps, s);
	actor_kill(&s->first);
}

static void kill_inheritor(struct scene *s)
{
	kill_stray(s->holders[0]);
}

const struct scenario scenario = {
	.verdict = "listener_inherited",
	.set_up = start_and_lose_server,
	.remedy = kill_inheritor,
};
