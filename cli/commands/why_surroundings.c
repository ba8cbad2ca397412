/* SPDX-License-Identifier: MIT */
/* Where a holder works: read by pd, which has the caller's rights, before anything is printed. */
#include <json-c/json.h>
#include <stdio.h>

#include "base/procfs.h"
#include "cli/client/answer.h"
#include "cli/project/project.h"
#include "cli/render/why_view.h"

#define START_SLACK_S 1 /* two readings of one start time differ by the clock's adjustment */

/* True when the process is still there: what is read of it now is about the same one. */
static bool is_alive(struct json_object *holder, struct process_id *ret)
{
	int64_t start = answer_int(holder, "startTime"), now;

	if (procfs_identity((pid_t)answer_int(holder, "pid"), ret))
		return false;
	now = procfs_start_unix(ret);
	return start && now - start <= START_SLACK_S && start - now <= START_SLACK_S;
}

static void add_text(struct json_object *holder, const char *name, const char *text)
{
	if (*text)
		json_object_object_add(holder, name, json_object_new_string(text));
}

/* The branch of a linked git worktree that it works in, which one directory alone does not tell. */
static void add_worktree(struct json_object *holder, const char *directory)
{
	char name[IDENTITY_PART_MAX + 1], branch[IDENTITY_PART_MAX + 1];
	char line[sizeof(branch) + sizeof(" of ") + sizeof(name)];

	if (*directory != '/' || project_parts(directory, name, branch) != 0 || !*branch)
		return;
	snprintf(line, sizeof(line), "%s of %s", branch, name);
	add_text(holder, "worktree", line);
}

static void add_to_holder(struct json_object *holder)
{
	char terminal[PROCFS_TTY_SIZE];
	struct process_id id;
	struct process process;

	if (!is_alive(holder, &id))
		return;
	/* the caller may be allowed more than the daemon */
	if (!*answer_text(holder, "cwd") && procfs_describe(id.pid, &process) == 0 &&
	    process_id_equal(&process.id, &id))
		add_text(holder, "cwd", process.cwd);
	add_worktree(holder, answer_text(holder, "cwd"));
	if (procfs_tty(&id, terminal, sizeof(terminal)) == 0)
		add_text(holder, "terminal", terminal);
}

void why_add_surroundings(struct json_object *why)
{
	struct json_object *holders = answer_member(why, "holders");

	for (size_t i = 0; i < answer_length(holders); i++)
		add_to_holder(answer_at(holders, i));
}
