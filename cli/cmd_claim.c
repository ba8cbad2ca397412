/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/identity.h"
#include "cli/answer.h"
#include "cli/check.h"
#include "cli/command.h"
#include "cli/project.h"
#include "cli/render.h"

#define HEALTH_PATH_MAX 1024 /* characters; far above what a health path needs */

struct wish {
	char id[IDENTITY_MAX + 1];
	char cwd[PATH_MAX]; /* "" = it was deleted */
	uint16_t port;	    /* 0 = assign one */
	const char *range, *ttl, *health;
};

static int read_identity(const struct command *self, const struct command_line *line,
			 struct wish *wish)
{
	int e;

	if (line->n_args > 0) {
		e = check_identity(self, line, line->args[0]);
		if (e)
			return e;
		strcpy(wish->id, line->args[0]);
		return 0;
	}
	e = *wish->cwd ? project_identity(wish->cwd, wish->id) : -ENOENT;
	if (e < 0)
		return render_usage_error(line->json, self->name,
					  "no name can be made of this directory (%s); give one: "
					  "pd claim myapp:web",
					  strerror(-e));
	return 0;
}

static int check_range(const struct command *self, const struct command_line *line,
		       const struct wish *wish)
{
	struct port_range range;

	if (!wish->range)
		return 0;
	if (wish->port)
		return render_usage_error(line->json, self->name,
					  "--port and --range exclude each other");
	if (port_range_parse(wish->range, &range) == 0)
		return 0;
	return render_usage_error(line->json, self->name,
				  "--range '%.100s' is no range of ports, for example 4000-4999",
				  wish->range);
}

static int check_health(const struct command *self, const struct command_line *line,
			const char *path)
{
	if (!path || (path[0] == '/' && strlen(path) <= HEALTH_PATH_MAX))
		return 0;
	return render_usage_error(line->json, self->name,
				  "--health '%.100s' is no path of a URL, for example /health",
				  path);
}

static int read_wish(const struct command *self, const struct command_line *line, struct wish *wish)
{
	const char *port = command_value(self, line, "port");
	int64_t ttl_s;
	int e;

	*wish = (struct wish){
		.range = command_value(self, line, "range"),
		.ttl = command_value(self, line, "ttl"),
		.health = command_value(self, line, "health"),
	};
	if (!getcwd(wish->cwd, sizeof(wish->cwd)))
		wish->cwd[0] = '\0';
	e = read_identity(self, line, wish);
	if (!e && port)
		e = check_port(self, line, port, &wish->port);
	if (!e)
		e = check_range(self, line, wish);
	if (!e && wish->ttl)
		e = check_duration(self, line, "ttl", wish->ttl, &ttl_s);
	return e ? e : check_health(self, line, wish->health);
}

static void add_text(struct json_object *o, const char *key, const char *text)
{
	if (text && *text)
		json_object_object_add(o, key, json_object_new_string(text));
}

static struct json_object *body_of(const struct wish *wish)
{
	struct json_object *o = json_object_new_object();

	add_text(o, "id", wish->id);
	if (wish->port)
		json_object_object_add(o, "port", json_object_new_int(wish->port));
	add_text(o, "range", wish->range);
	add_text(o, "ttl", wish->ttl);
	add_text(o, "health", wish->health);
	add_text(o, "cwd", wish->cwd);
	return o;
}

static void show(const struct command *self, const struct command_line *line,
		 struct json_object *answer)
{
	int port = (int)answer_int(answer, "port");
	int previous = (int)answer_int(answer, "previousPort");

	if (line->json) {
		render_json(answer);
	} else if (command_value(self, line, "export")) {
		printf("export PORT=%d\n", port);
	} else if (line->quiet) {
		printf("%d\n", port);
	} else {
		render_text(TONE_PLAIN, "Port %d claimed for %s", port, answer_text(answer, "id"));
		if (previous && previous != port)
			render_text(TONE_DIM, " (it had %d)", previous);
		else if (answer_bool(answer, "existing"))
			render_text(TONE_DIM, " (already yours)");
		render_newline();
	}
}

static int run(const struct command *self, const struct command_line *line)
{
	_cleanup_(answer_freep) struct json_object *body = NULL;
	_cleanup_(answer_freep) struct json_object *answer = NULL;
	struct wish wish;
	int e = read_wish(self, line, &wish);

	if (e)
		return e;
	body = body_of(&wish);
	e = answer_get(line->json, "POST", "/v1/claims", body, &answer);
	if (e)
		return e;
	show(self, line, answer);
	return 0;
}

const struct command cmd_claim = {
	.name = "claim",
	.arguments = "[ID] [-p PORT | --range A-B] [--ttl DUR] [--health PATH] [--export]",
	.summary = "claim a port for a service, or get the one that it has",
	.details =
		"ID is project, project:stack or project:stack:context.  The same ID gets the same\n"
		"port every time, on every machine where that port is free.\n"
		"\n"
		"Without ID, the service is named after the current directory.  In a linked git\n"
		"worktree the branch becomes the context, so that each checkout has a port of its\n"
		"own: a worktree of shop on the branch fix/cart is shop:" PROJECT_STACK ":fix-cart.\n"
		"\n"
		"-p gives exactly that port or fails (exit code 4) and says who has it.\n",
	.examples = "  pd claim myapp:web\n"
		    "  PORT=$(pd claim myapp:web -q)\n"
		    "  eval \"$(pd claim --export)\"\n"
		    "  pd claim legacy:service -p 3000 --health /health\n",
	.max_args = 1,
	.options = {
		{ "port", 'p', "PORT", "exactly this port" },
		{ "range", 0, "A-B", "a port from this range (default 3100-9999)" },
		{ "ttl", 0, "DUR", "the claim ends after this time: 45s, 30m, 2h30m, 1d" },
		{ "health", 0, "PATH", "where the service answers health checks: /health" },
		{ "export", 0, NULL, "print export PORT=…, for eval" },
		{ NULL },
	},
	.run = run,
};
