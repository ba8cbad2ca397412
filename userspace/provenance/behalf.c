/* SPDX-License-Identifier: MIT */
#include "provenance/behalf.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/procfs.h"
#include "provenance/engine.h"

#define CHILDREN_SIZE 4096 /* of a list of pids */
#define CHILDREN_MAX  64   /* of one pm2, that are looked at */

/* Instances of one program stand for one. */
static bool is_listed(const struct process_behalf *behalf, const struct process *program)
{
	for (size_t i = 0; i < behalf->n_served; i++)
		if (!strcmp(behalf->served[i].cwd, program->cwd))
			return true;
	return false;
}

/*
 * Where it works.  Of a process with more rights than ours that is not readable; its title, "node
 * /home/ann/shop/app.js", is, and where the program lies stands for it.
 */
static void find_directory(struct process *program)
{
	char line[PROCFS_CMDLINE_SIZE], *path, *slash;

	if (*program->cwd || procfs_cmdline(&program->id, line, sizeof(line)))
		return;
	path = strstr(line, " /");
	if (!path)
		return;
	path[1 + strcspn(path + 1, " ")] = '\0';
	slash = strrchr(path, '/');
	if (slash == path + 1 || (size_t)(slash - path) > sizeof(program->cwd))
		return;
	*slash = '\0';
	snprintf(program->cwd, sizeof(program->cwd), "%s", path + 1);
}

/* In cluster mode its daemon has the listening socket, wherever that was first started. */
static void find_programs_of_pm2(const struct process *pm2, struct process_behalf *ret)
{
	char name[48], text[CHILDREN_SIZE], *at = text, *end;
	pid_t pid;

	snprintf(name, sizeof(name), "task/%d/children", pm2->id.pid);
	if (procfs_read_of(pm2->id.pid, name, text, sizeof(text)) <= 0)
		return;
	for (int i = 0; i < CHILDREN_MAX && ret->n_served < PROCESS_SERVED_MAX; i++) {
		struct process *program = &ret->served[ret->n_served];

		pid = (pid_t)strtol(at, &end, 10);
		if (pid <= 0)
			return;
		at = end;
		if (procfs_describe(pid, program) || program->ppid != pm2->id.pid)
			continue;
		find_directory(program);
		ret->n_served += !is_listed(ret, program);
	}
}

void behalf_find(const struct process *process, uint16_t port, struct process_behalf *ret)
{
	struct engine_forward forward;

	*ret = (struct process_behalf){ .started_by = procfs_starter(&process->id) };
	if (engine_forward_find(process, port, &forward) && !forward.own)
		ret->engine = forward.engine;
	if (!strncmp(process->comm, "PM2 ", strlen("PM2 ")))
		find_programs_of_pm2(process, ret);
}
