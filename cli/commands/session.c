/* SPDX-License-Identifier: MIT */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "base/moment.h"
#include "base/session.h"
#include "base/text.h"
#include "cli/client/answer.h"
#include "cli/client/answer_check.h"
#include "cli/client/body.h"
#include "cli/command.h"
#include "cli/commands/session_args.h"
#include "cli/render/render.h"

static const struct answer_rule has_id = { NULL, "id", ANSWER_SESSION };

/* --- start --- */

static void tell_of_others(struct json_object *answer)
{
	struct json_object *others = answer_member(answer, "others");
	const char *id = answer_text(answer, "id");

	if (answer_length(others))
		render_note("this shell's session is %s now; %s goes on: --session %s means it", id,
			    answer_item_text(others, 0), answer_item_text(others, 0));
}

static void show_started(const struct command_line *line, struct json_object *answer)
{
	const char *id = answer_text(answer, "id");

	if (line->json) {
		render_json(answer);
	} else if (command_value(line, "export")) {
		printf("export " SESSION_ENVIRONMENT "=%s\n", id);
	} else {
		printf("%s\n", id);
		if (!line->quiet)
			tell_of_others(answer);
	}
}

static int check_agent(const struct command_line *line, const char *agent)
{
	size_t n = agent ? strlen(agent) : 0;

	if (n > SESSION_AGENT_MAX_BYTES)
		return render_usage_error(line, "the agent's name is longer than %d bytes",
					  SESSION_AGENT_MAX_BYTES);
	if (agent && (session_text_is_blank(agent) || !text_is_utf8(agent, n)))
		return render_usage_error(line,
					  "the agent's name is no text; for example 'Agent 1'");
	return 0;
}

static int start(const struct command_line *line)
{
	_cleanup_(answer_freep) struct json_object *body = json_object_new_object();
	_cleanup_(answer_freep) struct json_object *answer = NULL;
	_cleanup_free_ char *purpose = NULL;
	const char *agent = command_value(line, "agent");
	struct session_args args;
	int r = session_text_read(line, 1, "purpose", SESSION_PURPOSE_MAX_BYTES, &purpose);

	r = r ?: check_agent(line, agent);
	r = r ?: session_args_read(line, NULL, &args);
	if (r)
		return r;
	if (session_text_is_blank(purpose))
		return render_usage_error(line,
					  "what for? pd session start 'Building checkout UI'");
	if (command_value(line, "session"))
		return render_usage_error(
			line, "a new session gets a name of its own: no --session here");
	json_object_object_add(body, "purpose", json_object_new_string(purpose));
	if (agent)
		json_object_object_add(body, "agent", json_object_new_string(agent));
	body_add_text(body, "cwd", args.cwd);
	r = answer_get(line->json, "POST", "/v1/sessions", body, &answer);
	r = r ?: answer_check(line->json, answer, &has_id, 1);
	if (!r)
		show_started(line, answer);
	return r;
}

/* --- end --- */

static void show_ended(const struct command_line *line, struct json_object *answer)
{
	int64_t lasted = answer_int(answer, "endedAt") - answer_int(answer, "startedAt");
	char age[32];

	if (line->json)
		render_json(answer);
	else if (line->quiet)
		printf("%s\n", answer_text(answer, "id"));
	else
		render_line(TONE_PLAIN, "%s ended after %s: %s", answer_text(answer, "id"),
			    duration_format_long(lasted, age), answer_text(answer, "purpose"));
}

static int end(const struct command_line *line)
{
	_cleanup_(answer_freep) struct json_object *body = json_object_new_object();
	_cleanup_(answer_freep) struct json_object *answer = NULL;
	_cleanup_free_ char *note = NULL;
	struct session_args args;
	int r = session_text_read(line, 1, "note", NOTE_MAX_BYTES, &note);

	r = r ?: session_args_read(line, command_value(line, "session"), &args);
	if (r)
		return r;
	if (command_value(line, "agent") || command_value(line, "export"))
		return render_usage_error(line, "--agent and --export belong to pd session start");
	session_args_add(&args, body);
	if (!session_text_is_blank(note))
		json_object_object_add(body, "note", json_object_new_string(note));
	r = answer_get(line->json, "POST", "/v1/sessions/end", body, &answer);
	r = r ?: answer_check(line->json, answer, &has_id, 1);
	if (!r)
		show_ended(line, answer);
	return r;
}

static int run(const struct command_line *line)
{
	static const struct {
		const char *name;
		int (*run)(const struct command_line *line);
	} verbs[] = { { "start", start }, { "end", end } };

	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (strcmp(line->args[0], verbs[i].name) == 0)
			return verbs[i].run(line);
	return render_usage_error(line, "'%.100s' is neither start nor end; pd sessions lists them",
				  line->args[0]);
}

const struct command cmd_session = {
	.name = "session",
	.arguments = "start PURPOSE [--agent NAME] [--export] | end [NOTE] [--session SESSION]",
	.summary = "start or end a session: who works on what",
	.details =
		"A session stands on the shell that started it, and shows as stalled from the moment\n"
		"when that shell or its terminal is gone; a new note makes it active again.\n"
		"It is found by --session (any beginning of its id), else by $PORT_DADDY_SESSION, else\n"
		"it is that of this shell, of this terminal, or of this git worktree, in this order.\n"
		"Of several of one shell, the newest.  What is stalled for a week is completed.\n"
		"Exit code 1 when there is none, 4 when several fit.\n",
	.examples = "  pd session start 'Building checkout UI' --agent 'Agent 1'\n"
		    "  eval \"$(pd session start 'Payment API' --export)\"\n"
		    "  pd session end 'merged, all tests pass'\n"
		    "  pd session end --session ab3\n",
	.min_args = 1,
	.max_args = -1,
	.options = {
		{ "agent", 0, "NAME", "start: who works in it" },
		{ "export", 0, NULL, "start: print a line for eval that makes it the shell's own" },
		{ "session", 's', "SESSION", "end: this one" },
		{ NULL },
	},
	.run = run,
};
