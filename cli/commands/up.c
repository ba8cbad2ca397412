/* SPDX-License-Identifier: MIT */
#include "cli/supervise/up.h"

#include <json-c/json.h>
#include <limits.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "cli/client/answer.h"
#include "cli/command.h"
#include "cli/commands/claiming.h"
#include "cli/commands/project_services.h"
#include "cli/project/config.h"
#include "cli/render/render.h"
#include "cli/supervise/needs.h"

static const char *name_of(const struct config *config, size_t i)
{
	return config->services[i].name;
}

/* Whoever names a service means it; of all of them those without a command are claimed alone. */
static int leave_out_those_without_cmd(const struct command_line *line, const struct config *config,
				       bool *wanted)
{
	size_t left = 0;

	for (size_t i = 0; i < config->n; i++) {
		if (!wanted[i] || config->services[i].start.cmd) {
			left += wanted[i];
			continue;
		}
		if (line->n_args)
			return render_usage_error(line,
						  "%s: service '%s' has no \"cmd\" to start it",
						  config->path, name_of(config, i));
		wanted[i] = false;
	}
	if (left)
		return 0;
	return render_usage_error(
		line,
		"%s: no service has a \"cmd\" to start it, like \"%s\": {\"cmd\": \"npm start\"}",
		config->path, name_of(config, 0));
}

/* Who is needed has to be started, too. */
static int check_needs(const struct command_line *line, const struct config *config,
		       const bool *wanted)
{
	struct needs needs;
	char error[PATH_MAX + 512];
	int r = 0;

	if (needs_new(config, &needs, error, sizeof(error)))
		return render_usage_error(line, "%s", error);
	for (size_t i = 0; i < config->n; i++)
		if (wanted[i])
			needs_want(&needs, i);
	for (size_t i = 0; !r && i < config->n; i++)
		if (needs.nodes[i].state != NEEDS_LEFT_OUT && !config->services[i].start.cmd)
			r = render_usage_error(
				line, "%s: service '%s' is needed, and has no \"cmd\" to start it",
				config->path, name_of(config, i));
	needs_deinit(&needs);
	return r;
}

static int run(const struct command_line *line)
{
	_cleanup_(config_freep) struct config *config = NULL;
	_cleanup_(answer_freep) struct json_object *claims = NULL;
	_cleanup_free_ bool *wanted = NULL;
	struct up_options options;
	char directory[PATH_MAX];
	int r = project_services(line, &config, &wanted);

	r = r ?: leave_out_those_without_cmd(line, config, wanted);
	r = r ?: check_needs(line, config, wanted);
	if (r)
		return r;
	r = claiming_claim_all(line, config, config_directory(config, directory), &claims);
	if (r)
		return r;
	options = (struct up_options){ .config = config,
				       .directory = directory,
				       .claims = answer_member(claims, "services"),
				       .wanted = wanted,
				       .detach = command_value(line, "detach"),
				       .keep_going = command_value(line, "keep-going"),
				       .quiet = line->quiet,
				       .json = line->json };
	return up(&options);
}

const struct command cmd_up = {
	.name = "up",
	.arguments = "[SERVICE]... [-d] [--keep-going]",
	.summary = "start the services of a project, in the order of their needs",
	.details =
		"Starts those of the nearest .portdaddyrc that have a \"cmd\", or those that are named\n"
		"and what they need: side by side, and each when all that it needs are ready.  Ready is\n"
		"who listens on its port and, with a healthPath, answers well there.\n"
		"\n"
		"  \"services\": {\n"
		"    \"db\":  { \"cmd\": \"redis-server --port $PORT\" },\n"
		"    \"api\": { \"cmd\": \"npm start\", \"cwd\": \"api\", \"needs\": [\"db\"],\n"
		"             \"healthPath\": \"/health\", \"env\": { \"NODE_ENV\": \"development\" },\n"
		"             \"restart\": \"on-failure\", \"stopSignal\": \"SIGINT\", \"stopTimeout\": \"10s\" }\n"
		"  }\n"
		"\n"
		"Each program gets PORT, and of every service NAME_PORT and NAME_URL.  Who ends before it\n"
		"is ready ends all of it (exit code 1), with its last lines.  Ctrl-C ends what it started\n"
		"as pd down does, a second one kills it.  What runs already is adopted: it is not started\n"
		"again, it goes on at the end, and one that would start differently by now is named.\n"
		"\n"
		"With -d it returns when all are ready, and they go on: pd logs shows what they write, pd\n"
		"ps what runs, pd down ends them.  \"restart\": \"on-failure\" holds then, too.\n",
	.examples = "  pd up\n"
		    "  pd up -d\n"
		    "  pd up web --keep-going\n",
	.max_args = -1,
	.options = {
		{ "detach", 'd', NULL, "return when all are ready, and leave them running" },
		{ "keep-going", 0, NULL, "one that fails does not end the others" },
		{ NULL },
	},
	.run = run,
};
