/* SPDX-License-Identifier: MIT */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "base/procfs.h"
#include "cli/arguments/check.h"
#include "cli/client/answer.h"
#include "cli/command.h"
#include "cli/render/render.h"
#include "cli/render/show.h"
#include "cli/supervise/members.h"

#define DEPTH_MAX     40   /* of the tree that is drawn */
#define CMDLINE_BYTES 1024 /* of a command line that is shown */

static struct json_object *view_member(const struct member *m)
{
	struct json_object *o = json_object_new_object();
	char cmdline[CMDLINE_BYTES];

	json_object_object_add(o, "pid", json_object_new_int(m->id.pid));
	json_object_object_add(o, "ppid", json_object_new_int(m->ppid));
	json_object_object_add(o, "comm", json_object_new_string(m->comm));
	if (procfs_cmdline(&m->id, cmdline, sizeof(cmdline)))
		cmdline[0] = '\0';
	json_object_object_add(o, "cmdline", *cmdline ? json_object_new_string(cmdline) : NULL);
	json_object_object_add(o, "ports",
			       m->ports ? json_object_get(m->ports) : json_object_new_array());
	return o;
}

static void show_json(const struct members *m)
{
	struct json_object *runs = answer_member(m->answer, "runs");

	for (size_t i = 0; i < answer_length(runs); i++) {
		struct json_object *run = answer_at(runs, i), *list = json_object_new_array();
		uint32_t number = run_id_parse(answer_text(run, "id"));

		for (size_t j = 0; j < m->n; j++)
			if (m->list[j].run == number)
				json_object_array_add(list, view_member(&m->list[j]));
		json_object_object_add(run, "members", list);
	}
	json_object_object_del(m->answer, "members");
	render_json(m->answer);
}

/* --- as a table --- */

static enum render_tone tone_of(const char *state)
{
	if (strcmp(state, "unattended") == 0)
		return TONE_BAD;
	if (strcmp(state, "ready") == 0)
		return TONE_GOOD;
	return strcmp(state, "starting") == 0 ? TONE_DIM : TONE_WARN;
}

static const char *ports_of(const struct member *m, char *ret, size_t size)
{
	size_t used = 0;

	ret[0] = '\0';
	for (size_t i = 0; i < answer_length(m->ports) && used < size; i++)
		used += (size_t)snprintf(ret + used, size - used, "%s%d", i ? "," : "",
					 (int)answer_item_int(m->ports, i));
	return ret;
}

static void show_member(struct render_table *t, const struct member *m, int depth)
{
	char ports[64], cmdline[CMDLINE_BYTES];

	if (procfs_cmdline(&m->id, cmdline, sizeof(cmdline)) || !*cmdline)
		snprintf(cmdline, sizeof(cmdline), "[%.16s]", m->comm);
	render_table_cell(t, TONE_PLAIN, "%*s%s", 2 * (depth + 1), "", m->comm);
	render_table_cell(t, TONE_PLAIN, "%d", m->id.pid);
	render_table_cell(t, TONE_PLAIN, "%s", ports_of(m, ports, sizeof(ports)));
	render_table_cell(t, TONE_PLAIN, "%s", "");
	render_table_cell(t, TONE_PLAIN, "%s", "");
	render_table_cell(t, TONE_DIM, "%s", cmdline);
}

static bool has_parent(const struct members *m, const struct member *child)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->list[i].run == child->run && m->list[i].id.pid == child->ppid)
			return true;
	return false;
}

static void show_below(struct render_table *t, const struct members *m, uint32_t run, pid_t parent,
		       int depth)
{
	for (size_t i = 0; i < m->n && depth < DEPTH_MAX; i++) {
		const struct member *child = &m->list[i];
		bool is_root = !parent && !has_parent(m, child);

		if (child->run != run || (parent ? child->ppid != parent : !is_root))
			continue;
		show_member(t, child, depth);
		show_below(t, m, run, child->id.pid, depth + 1);
	}
}

static void show_run(struct render_table *t, const struct members *m, struct json_object *run)
{
	const char *service = answer_text(run, "service"), *state = answer_text(run, "state");
	/* ready before its server moved, or never */
	bool may_be = strcmp(state, "ready") == 0 || strcmp(state, "starting") == 0;
	int elsewhere = may_be ? members_elsewhere(m, run) : 0;
	char age[SHOW_AGE_SIZE], port[SHOW_PORT_SIZE], where[64] = "";

	if (elsewhere) {
		state = "elsewhere";
		snprintf(where, sizeof(where), "listens on %d, not on %d; ", elsewhere,
			 (int)answer_int(run, "port"));
	}
	render_table_cell(t, TONE_PLAIN, "%s", *service ? service : answer_text(run, "id"));
	render_table_cell(t, TONE_PLAIN, "%s", "");
	render_table_text(t, TONE_PLAIN, answer_int(run, "port") ? show_port(run, port) : "");
	render_table_cell(t, tone_of(state), "%s", state);
	render_table_cell(t, TONE_PLAIN, "%s", show_ago(answer_int(run, "since"), age));
	if (answer_int(run, "pid") && strcmp(state, "unattended") != 0)
		render_table_cell(t, TONE_DIM, "%s%s of pd %d", where, answer_text(run, "id"),
				  (int)answer_int(run, "pid"));
	else
		render_table_cell(t, TONE_DIM, "%s%s", where, answer_text(run, "id"));
}

static void show_table(const struct members *m)
{
	static const char *const headings[] = { "Run", "PID", "Port", "State", "Since", "Command" };
	struct json_object *runs = answer_member(m->answer, "runs");
	struct render_table *t = render_table_new(headings, ARRAY_SIZE(headings));

	render_table_right(t, 1);
	render_table_flexible(t, 5, 12);
	for (size_t i = 0; i < answer_length(runs); i++) {
		struct json_object *run = answer_at(runs, i);

		show_run(t, m, run);
		show_below(t, m, run_id_parse(answer_text(run, "id")), 0, 0);
	}
	render_table_print(t);
}

/* A daemon that was started anew may not have the rights to find them: who asks may. */
static bool tell_members(const struct members *m)
{
	struct json_object *runs = answer_member(m->answer, "runs");
	bool told = false;

	for (size_t i = 0; i < answer_length(runs); i++) {
		uint32_t number = run_id_parse(answer_text(answer_at(runs, i), "id"));
		bool has_any = false;

		for (size_t j = 0; !has_any && j < m->n; j++)
			has_any = m->list[j].run == number;
		if (!has_any)
			told = members_tell(number, NULL, NULL, true) == OUTCOME_OK || told;
	}
	return told;
}

/* What a person can do about those that nobody looks after. */
static void show_remedies(const struct members *m)
{
	struct json_object *runs = answer_member(m->answer, "runs");

	for (size_t i = 0; i < answer_length(runs); i++) {
		struct json_object *run = answer_at(runs, i);
		const char *service = answer_text(run, "service");

		if (strcmp(answer_text(run, "state"), "unattended") == 0)
			render_note("the pd of %s is gone and its processes are not: pd stop %s "
				    "ends them",
				    *service ? service : answer_text(run, "id"),
				    *service ? service : answer_text(run, "id"));
	}
}

static int run(const struct command_line *line)
{
	const char *pattern = line->n_args ? line->args[0] : NULL;
	_cleanup_(answer_freep) struct json_object *error = NULL;
	_cleanup_(members_deinit) struct members m = { 0 };
	enum outcome outcome;
	uint32_t number = pattern ? run_id_parse(pattern) : 0;
	int r = pattern && !number ? check_pattern(line, pattern) : 0;
	bool none;

	if (r)
		return r;
	outcome = members_ask(number ? NULL : pattern, number, &m, &error);
	if (outcome == OUTCOME_OK && tell_members(&m)) {
		members_deinit(&m);
		outcome = members_ask(number ? NULL : pattern, number, &m, &error);
	}
	if (outcome != OUTCOME_OK)
		return render_outcome(line->json, outcome, error);
	none = !answer_length(answer_member(m.answer, "runs"));
	if (line->json)
		show_json(&m);
	else if (none)
		render_note("%s%s",
			    pattern ? "no run of " : "nothing was started by pd run or pd up",
			    pattern ? pattern : "");
	else
		show_table(&m);
	if (!line->json && !line->quiet)
		show_remedies(&m);
	return none && pattern ? outcome_row(OUTCOME_NO)->exit_code : 0;
}

const struct command cmd_ps = {
	.name = "ps",
	.arguments = "[ID|PATTERN|RUN]",
	.summary = "what pd run and pd up started, as a tree",
	.details =
		"Every run with its members: program, pid, the ports that it listens on.  A "
		"member\n"
		"stays one when it calls setsid(), forks twice or loses its parent.  A run is\n"
		"starting until it listens on its port, then ready; elsewhere while it listens on\n"
		"others alone; detached when its command has ended and left a server on purpose,\n"
		"unattended when its pd was killed, ending while pd ends it.\n"
		"\n"
		"The exit code is 1 where nothing of that name runs.\n",
	.examples = "  pd ps\n"
		    "  pd ps shop:web\n"
		    "  pd ps 'shop:*' -j\n",
	.max_args = 1,
	.options = { { NULL } },
	.run = run,
};
