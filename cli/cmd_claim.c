/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/health_path.h"
#include "base/identity.h"
#include "cli/answer.h"
#include "cli/check.h"
#include "cli/command.h"
#include "cli/config.h"
#include "cli/project.h"
#include "cli/render.h"

struct wish {
	const char *id;	    /* NULL = not given */
	char cwd[PATH_MAX]; /* "" = it was deleted */
	uint16_t port;	    /* 0 = assign one */
	const char *range, *ttl, *health;
};

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
			const char *text)
{
	struct health_path path;
	const char *why;

	if (!text || health_path_parse(text, &path, &why) == 0)
		return 0;
	return render_usage_error(line->json, self->name,
				  "--health '%.100s' cannot be used: %s; for example /health, or "
				  "https:/health",
				  text, why);
}

static int read_wish(const struct command *self, const struct command_line *line, struct wish *wish)
{
	const char *port = command_value(self, line, "port");
	int64_t ttl_s;
	int e = 0;

	*wish = (struct wish){
		.id = line->n_args ? line->args[0] : NULL,
		.range = command_value(self, line, "range"),
		.ttl = command_value(self, line, "ttl"),
		.health = command_value(self, line, "health"),
	};
	if (!getcwd(wish->cwd, sizeof(wish->cwd)))
		wish->cwd[0] = '\0';
	if (wish->id)
		e = check_identity(self, line, wish->id);
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
		 struct json_object *answer, const char *variable)
{
	int port = (int)answer_int(answer, "port");
	int previous = (int)answer_int(answer, "previousPort");

	if (command_value(self, line, "export")) {
		printf("export %s=%d\n", variable, port);
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

static int ask(const struct command_line *line, const struct wish *wish, struct json_object **ret)
{
	_cleanup_(answer_freep) struct json_object *body = body_of(wish);

	return answer_get(line->json, "POST", "/v1/claims", body, ret);
}

static int claim_one(const struct command *self, const struct command_line *line,
		     const struct wish *wish)
{
	_cleanup_(answer_freep) struct json_object *answer = NULL;
	int e = ask(line, wish, &answer);

	if (e)
		return e;
	if (line->json)
		render_json(answer);
	else
		show(self, line, answer, "PORT");
	return 0;
}

/* "API_PORT" of "api"; a character that a variable's name may not have becomes '_'. */
static void variable_of(const char *name, char *ret, size_t size)
{
	snprintf(ret, size, "%s%s_PORT", *name >= '0' && *name <= '9' ? "_" : "", name);
	for (; *ret; ret++)
		*ret = (char)(isalnum((unsigned char)*ret) ? toupper((unsigned char)*ret) : '_');
}

/* One after the other; the first refusal ends it, and what was claimed before stays claimed. */
static int claim_services(const struct command *self, const struct command_line *line,
			  struct wish *wish, const struct config *config)
{
	_cleanup_(answer_freep) struct json_object *all = json_object_new_object();
	struct json_object *claims = json_object_new_array();

	json_object_object_add(all, "ok", json_object_new_boolean(true));
	json_object_object_add(all, "version", json_object_new_int(1));
	json_object_object_add(all, "claims", claims);
	for (size_t i = 0; i < config->n; i++) {
		const struct config_service *service = &config->services[i];
		struct json_object *answer = NULL;
		char variable[IDENTITY_PART_MAX + 16];
		int e;

		wish->id = service->id;
		wish->health = service->health;
		e = ask(line, wish, &answer);
		if (e)
			return e;
		variable_of(service->name, variable, sizeof(variable));
		if (!line->json)
			show(self, line, answer, config->n > 1 ? variable : "PORT");
		json_object_array_add(claims, answer);
	}
	if (line->json)
		render_json(all);
	return 0;
}

/* Without ID: what the configuration names, else the directory. */
static int claim_here(const struct command *self, const struct command_line *line,
		      struct wish *wish)
{
	_cleanup_(config_freep) struct config *config = NULL;
	char error[PATH_MAX + 256], id[IDENTITY_MAX + 1];
	int found, e;

	if (!*wish->cwd)
		return render_usage_error(line->json, self->name,
					  "this directory was deleted and has no name; give one: "
					  "pd claim myapp:web");
	found = config_find(wish->cwd, &config, error, sizeof(error));
	if (found < 0)
		return render_usage_error(line->json, self->name, "%s", error);
	if (found && (wish->health || (wish->port && config->n > 1)))
		return render_usage_error(line->json, self->name,
					  "%s names the services; --%s needs an ID", config->path,
					  wish->health ? "health" : "port");
	if (found)
		return claim_services(self, line, wish, config);
	e = project_identity(wish->cwd, id);
	if (e < 0)
		return render_usage_error(line->json, self->name,
					  "git's files around this directory cannot be read (%s); "
					  "give a name: pd claim myapp:web",
					  strerror(-e));
	wish->id = id;
	return claim_one(self, line, wish);
}

static int run(const struct command *self, const struct command_line *line)
{
	struct wish wish;
	int e = read_wish(self, line, &wish);

	if (e)
		return e;
	return wish.id ? claim_one(self, line, &wish) : claim_here(self, line, &wish);
}

const struct command cmd_claim = {
	.name = "claim",
	.arguments = "[ID] [-p PORT | --range A-B] [--ttl DUR] [--health PATH] [--export]",
	.summary = "claim a port for a service, or get the one that it has",
	.details =
		"ID is project, project:stack or project:stack:context.  The same ID gets the same\n"
		"port every time, on every machine where that port is free.\n"
		"\n"
		"Without ID, the services of the nearest .portdaddyrc are claimed; where there is\n"
		"none, one that is named after the current directory.  In a linked git worktree the\n"
		"branch becomes the context, so that each checkout has ports of its own: in a\n"
		"worktree of shop on the branch fix/cart these are shop:web:fix-cart and, without a\n"
		".portdaddyrc, shop:" PROJECT_STACK ":fix-cart.\n"
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
		{ "health", 0, "PATH", "where the service answers health checks: /health, https:/health" },
		{ "export", 0, NULL, "print `export PORT=3101` for eval; API_PORT where there are several" },
		{ NULL },
	},
	.run = run,
};
