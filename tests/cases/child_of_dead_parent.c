/* SPDX-License-Identifier: MIT */
/* The server is dead; its worker still serves one connection. */
#include "case.h"

static void run_forking(struct scene *s)
{
	serve_one(s);
	pid_t worker = fork();

	need(worker >= 0);
	while (worker == 0)
		pause();
	tell(s, worker);
}

static void start_and_lose_server(struct scene *s)
{
	start_connection(s, run_forking);
	must_be_named(s, s->server.told);
	actor_kill(&s->server);
}

/* The client first, or the worker's side would be in TIME_WAIT for a minute. */
static void kill_worker(struct scene *s)
{
	actor_kill(&s->client);
	kill_stray(s->holders[0]);
}

const struct scenario scenario = {
	.verdict = "child_of_dead_parent",
	.set_up = start_and_lose_server,
	.remedy = kill_worker,
};
