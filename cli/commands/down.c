/* SPDX-License-Identifier: MIT */
#include <json-c/json.h>
#include <limits.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/outcome.h"
#include "cli/arguments/check.h"
#include "cli/client/answer.h"
#include "cli/command.h"
#include "cli/commands/project_services.h"
#include "cli/project/config.h"
#include "cli/render/render.h"
#include "cli/supervise/project_end.h"
#include "cli/supervise/stopping.h"

#define US_PER_MS 1000

static void say(const char *words, void *user_data)
{
	const struct command_line *line = user_data;

	if (!line->quiet && !line->json)
		render_note("%s", words);
}

static struct json_object *view(const struct config_service *s, const struct project_end_service *e)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "id", json_object_new_string(s->id));
	json_object_object_add(o, "port", e->port ? json_object_new_int(e->port) : NULL);
	json_object_object_add(o, "ran", json_object_new_boolean(e->ran));
	json_object_object_add(o, "ended", json_object_new_int64((int64_t)e->n_ended));
	json_object_object_add(o, "left", json_object_new_int64((int64_t)e->n_left));
	json_object_object_add(o, "free", json_object_new_boolean(e->free));
	json_object_object_add(o, "elsewhere",
			       *e->elsewhere ? json_object_new_string(e->elsewhere) : NULL);
	return o;
}

static void show_json(const struct project_end *e)
{
	_cleanup_(answer_freep) struct json_object *o = render_json_new(true);
	struct json_object *list = json_object_new_array();

	json_object_object_add(o, "services", list);
	for (size_t i = 0; i < e->config->n; i++)
		if (e->services[i].wanted)
			json_object_array_add(list, view(&e->config->services[i], &e->services[i]));
	render_json(o);
}

static void show_service(const struct config_service *s, const struct project_end_service *e)
{
	const struct stopping port = { .port = e->port };

	if (e->ran) {
		render_text(TONE_PLAIN, "%s: %zu %s ended", s->id, e->n_ended,
			    e->n_ended == 1 ? "process" : "processes");
		if (e->n_left)
			render_text(TONE_BAD, ", %zu left", e->n_left);
		if (e->port)
			render_text(e->free ? TONE_GOOD : TONE_BAD, "; port %u is %s", e->port,
				    e->free ? "free" : "still taken");
		render_newline();
	} else if (!e->free && !*e->elsewhere) {
		render_line(TONE_BAD, "%s does not run, and port %u is taken", s->id, e->port);
	}
	if (*e->elsewhere)
		render_note("%s was started in %s, and goes on; pd down %s ends it", s->id,
			    e->elsewhere, s->name);
	else if (!e->free)
		stopping_tell_who_holds_it(&port);
}

static void show(const struct command_line *line, const struct project_end *e)
{
	bool any = false;

	for (size_t i = 0; i < e->config->n; i++) {
		const struct project_end_service *s = &e->services[i];

		any = any || (s->wanted && (s->ran || !s->free));
		if (s->wanted)
			show_service(&e->config->services[i], s);
	}
	if (!any && !line->quiet)
		render_note("nothing of %s runs", e->config->project);
}

static int run(const struct command_line *line)
{
	_cleanup_(config_freep) struct config *config = NULL;
	_cleanup_free_ struct project_end_service *services = NULL;
	_cleanup_free_ bool *wanted = NULL;
	struct project_end e = {
		.grace_ms = -1, .json = line->json, .say = say, .user_data = (void *)line
	};
	const char *grace = command_value(line, "grace");
	char directory[PATH_MAX];
	int64_t grace_us;
	int r = grace ? check_fine_duration(line, "grace", grace, &grace_us) : 0;

	r = r ?: project_services(line, &config, &wanted);
	if (r)
		return r;
	if (grace)
		e.grace_ms = grace_us / US_PER_MS;
	services = render_must(calloc(config->n + 1, sizeof(*services)));
	for (size_t i = 0; i < config->n; i++)
		services[i].wanted = wanted[i];
	e.config = config;
	/* two checkouts may have one project's name: what the other one runs has to be named */
	e.directory = line->n_args ? NULL : config_directory(config, directory);
	e.services = services;
	r = project_end(&e);
	if (r > 1)
		return r;
	if (line->json)
		show_json(&e);
	else
		show(line, &e);
	return r ? outcome_row(OUTCOME_NO)->exit_code : 0;
}

const struct command cmd_down = {
	.name = "down",
	.arguments = "[SERVICE]... [--grace DUR]",
	.summary = "end the services of a project, to the last process",
	.details =
		"Ends the runs of the nearest .portdaddyrc that were started in its directory or below,\n"
		"or those of the services that are named, wherever they were: what nobody needs first,\n"
		"and what it needs when it has ended.  Each gets its stopSignal (SIGTERM), and SIGKILL\n"
		"after its stopTimeout (5s) or the grace.  Every process that descends from a service\n"
		"belongs to it, however it left its parent.\n"
		"\n"
		"The exit code is 0 when no process is left and each port can be bound again, also\n"
		"where nothing ran; else 1, and who is left or holds the port is said.\n",
	.examples = "  pd down\n"
		    "  pd down web api\n"
		    "  pd down --grace 30s\n",
	.max_args = -1,
	.options = {
		{ "grace", 0, "DUR", "from the signal that asks to SIGKILL, for all of them" },
		{ NULL },
	},
	.run = run,
};
