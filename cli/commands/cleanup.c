/* SPDX-License-Identifier: MIT */
#include <json-c/json.h>
#include <limits.h>
#include <stdint.h>
#include <unistd.h>

#include "base/moment.h"
#include "cli/arguments/check.h"
#include "cli/client/answer.h"
#include "cli/client/answer_check.h"
#include "cli/command.h"
#include "cli/project/config.h"
#include "cli/render/render.h"
#include "cli/render/show.h"

/*
 * Where no age was typed, the nearest .portdaddyrc may have one: for its own project, and for no
 * service of another.  0, or pd's exit code.
 */
static int add_configured(const struct command_line *line, struct json_object *body)
{
	_cleanup_(config_freep) struct config *config = NULL;
	char cwd[PATH_MAX];
	int r;

	/* a directory that was deleted has no configuration */
	if (!getcwd(cwd, sizeof(cwd)))
		return 0;
	r = check_config(line, cwd, &config);
	if (r || !config || !*config->cleanup_age)
		return r;
	json_object_object_add(body, "olderThan", json_object_new_string(config->cleanup_age));
	json_object_object_add(body, "project", json_object_new_string(config->project));
	return 0;
}

static int fill_body(const struct command_line *line, struct json_object *body)
{
	const char *older_than = command_value(line, "older-than");
	int64_t age_s;
	int r = older_than ? check_duration(line, "older-than", older_than, &age_s)
			   : add_configured(line, body);

	if (r)
		return r;
	if (older_than)
		json_object_object_add(body, "olderThan", json_object_new_string(older_than));
	if (command_value(line, "stale"))
		json_object_object_add(body, "stale", json_object_new_boolean(true));
	if (command_value(line, "dry-run"))
		json_object_object_add(body, "dryRun", json_object_new_boolean(true));
	return 0;
}

static void show_released(struct json_object *answer)
{
	struct json_object *released = answer_member(answer, "released");
	bool dry_run = answer_bool(answer, "dryRun");
	const char *project = answer_text(answer, "project");
	size_t n = answer_length(released);
	int width = show_width(released, "id", 0, SIZE_MAX);
	char age[16];

	if (!n) {
		render_line(TONE_PLAIN, "Nothing%s%s is untouched for longer than %s",
			    *project ? " of " : "", project,
			    duration_format_short(answer_int(answer, "olderThan"), age));
		return;
	}
	render_line(TONE_PLAIN, "%s %s %zu stale service%s",
		    dry_run ? render_either("•", "*") : render_sign(TONE_GOOD),
		    dry_run ? "Would release" : "Released", n, n == 1 ? "" : "s");
	for (size_t i = 0; i < n; i++) {
		struct json_object *service = answer_at(released, i);

		render_line(TONE_PLAIN, "- %-*s (%s old)", width, answer_text(service, "id"),
			    duration_format_short(answer_int(service, "age"), age));
	}
}

static void show_left(struct json_object *answer)
{
	struct json_object *left = answer_member(answer, "left");
	long younger = (long)answer_int(left, "younger"), others = (long)answer_int(left, "others");
	int64_t age_s = answer_int(left, "youngestAge");
	char age[16];

	/* longer than: the youngest itself has to be older than what is suggested */
	if (younger)
		render_note("%ld younger stale service%s left; pd cleanup --older-than %s releases "
			    "%s",
			    younger, younger == 1 ? " was" : "s were",
			    duration_format_short(age_s > 1 ? age_s - 1 : 1, age),
			    younger == 1 ? "it" : "them");
	if (others)
		render_note("%ld service%s of other users %s left: only they may release %s",
			    others, others == 1 ? "" : "s", others == 1 ? "was" : "were",
			    others == 1 ? "it" : "them");
}

static void show(const struct command_line *line, struct json_object *answer)
{
	struct json_object *released = answer_member(answer, "released");

	if (!line->quiet) {
		show_released(answer);
		show_left(answer);
		return;
	}
	for (size_t i = 0; i < answer_length(released); i++)
		render_line(TONE_PLAIN, "%s", answer_text(answer_at(released, i), "id"));
}

static int run(const struct command_line *line)
{
	static const struct answer_rule rule = { "released", "id", ANSWER_SERVICE };
	_cleanup_(answer_freep) struct json_object *body = json_object_new_object();
	_cleanup_(answer_freep) struct json_object *answer = NULL;
	int r = fill_body(line, body);

	r = r ?: answer_get(line->json, "POST", "/v1/cleanups", body, &answer);
	if (!r && (line->quiet || line->json))
		r = answer_check(line->json, answer, &rule, 1);
	if (r)
		return r;
	if (line->json)
		render_json(answer);
	else
		show(line, answer);
	return 0;
}

const struct command cmd_cleanup = {
	.name = "cleanup",
	.arguments = "[--older-than DUR] [--stale] [--dry-run]",
	.summary = "release services that nothing has touched for a long time",
	.details =
		"A service is touched when it is claimed, when it begins to listen and when it ends.\n"
		"The age is 7 days, or what --older-than says.  In a project whose .portdaddyrc has\n"
		"\"cleanupAge\": \"3d\", it is that, and only services of the project are looked at.\n"
		"Whatever has a live socket on its port stays, and so do other users' services.  A\n"
		"name gets the same port again when it claims again.\n"
		"\n"
		"-q prints the names alone.  Nothing to release is no error: exit code 0.\n",
	.examples = "  pd cleanup --dry-run\n"
		    "  pd cleanup --older-than 2d\n"
		    "  pd cleanup --stale\n",
	.options = {
		{ "older-than", 0, "DUR", "untouched for longer than: 12h, 3d, 2w (default 7d)" },
		{ "stale", 0, NULL, "also everything that pd find shows as stale, whatever its age" },
		{ "dry-run", 0, NULL, "show what would be released, and release nothing" },
		{ NULL },
	},
	.run = run,
};
