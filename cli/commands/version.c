/* SPDX-License-Identifier: MIT */
#include <json-c/json.h>
#include <stdio.h>
#include <unistd.h>

#include "base/build.h"
#include "cli/client/answer.h"
#include "cli/client/other_build.h"
#include "cli/client/polling.h"
#include "cli/command.h"
#include "cli/render/render.h"

/*
 * The build of the daemon that runs, and whether root alone can replace it; starts none.  False
 * when none does.
 */
static bool daemon_build(struct build *ret, bool *ret_by_root)
{
	_cleanup_(answer_freep) struct json_object *status = client_ask_running("/v1/status");

	if (!status)
		return false;
	other_build_read(status, ret);
	*ret_by_root = !polling_is(status) && geteuid() != 0;
	return true;
}

static void add_build(struct json_object *o, const struct build *b)
{
	json_object_object_add(o, "program", json_object_new_string(b->version));
	json_object_object_add(o, "commit", json_object_new_string(b->commit));
}

static void show_json(const struct build *daemon)
{
	_cleanup_(answer_freep) struct json_object *o = render_json_new(true);
	struct json_object *other = daemon ? json_object_new_object() : NULL;

	add_build(o, &build_own);
	if (daemon)
		add_build(other, daemon);
	json_object_object_add(o, "daemon", other);
	render_json(o);
}

static void show(const struct build *daemon, bool by_root)
{
	char text[BUILD_TEXT_SIZE], words[OTHER_BUILD_WORDS_SIZE];

	printf("pd         %s\n", build_text(&build_own, text));
	render_line(TONE_PLAIN, "portdaddyd %s",
		    daemon ? build_text(daemon, text) : "does not run");
	if (daemon && !build_is_own(daemon))
		render_note("%s", other_build_words(daemon, by_root, words));
}

static int run(const struct command_line *line)
{
	struct build daemon;
	bool runs, by_root = false;

	if (line->quiet) {
		printf("%s\n", build_own.version);
		return 0;
	}
	runs = daemon_build(&daemon, &by_root);
	if (line->json)
		show_json(runs ? &daemon : NULL);
	else
		show(runs ? &daemon : NULL, by_root);
	return 0;
}

const struct command cmd_version = {
	.name = "version",
	.arguments = "",
	.summary = "print the versions of pd and of the daemon, and their commits",
	.examples = "  pd version\n",
	.run = run,
};
