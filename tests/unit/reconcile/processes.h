/* SPDX-License-Identifier: MIT */
/* A small world of processes, and the claim that its shell has made. */
#ifndef TESTS_RECONCILE_PROCESSES_H
#define TESTS_RECONCILE_PROCESSES_H

#include "registry/registry.h"
#include "testing.h"

#define ME    100
#define OTHER 33
#define NOW   1000000

/* Shell 10 (session 10) claims; 20 is a server that it started. */

enum { SHELL = 10, SERVER = 20, CHILD = 21, DAEMON = 22, STRANGER = 30, SQUATTER = 40 };

#define PROCESS_OF(pid, start, user, session, name, directory) \
	.id = { pid, start }, .uid = user, .sid = session, .comm = name, .cwd = directory
#define PARENT(pid, start, name) .n_ancestors = 1, .ancestors = { { { pid, start }, name } }

static const struct process world[] = {
	{ PROCESS_OF(SHELL, 1, ME, SHELL, "bash", "/home/me") },
	{ PROCESS_OF(SERVER, 5, ME, SHELL, "node", "/srv"), PARENT(SHELL, 1, "bash") },
	/* an inheritor that was reparented to init */
	{ PROCESS_OF(CHILD, 6, ME, SHELL, "sleep", "/srv"), PARENT(1, 0, "init") },
	/* an inheritor that leads its own session */
	{ PROCESS_OF(DAEMON, 7, ME, DAEMON, "nginx", "/"), PARENT(1, 0, "init") },
	/* the same user's, from elsewhere */
	{ PROCESS_OF(STRANGER, 8, ME, STRANGER, "vite", "/home/me/other"), PARENT(1, 0, "init") },
	{ PROCESS_OF(SQUATTER, 9, OTHER, SQUATTER, "apache", "/work") },
};

static inline const struct process *look_up(const struct process_id *id, void *user_data)
{
	for (size_t i = 0; i < ARRAY_SIZE(world); i++)
		if (process_id_equal(&world[i].id, id))
			return &world[i];
	return NULL;
}

static inline const struct process *process(pid_t pid)
{
	for (size_t i = 0; i < ARRAY_SIZE(world); i++)
		if (world[i].id.pid == pid)
			return &world[i];
	fail_msg("no process %d", pid);
	return NULL;
}

static inline struct service claim_of_shell(void)
{
	return (struct service){ .id = "myapp:web",
				 .port = 3100,
				 .uid = ME,
				 .cwd = "/work",
				 .sid = SHELL,
				 .claimer = { SHELL, 1 },
				 .same_boot = true,
				 .updated_at = NOW - 10 };
}

#endif
