/* SPDX-License-Identifier: MIT */
#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/health_path.h"
#include "base/identity.h"
#include "cli/arguments/check.h"
#include "cli/client/answer.h"
#include "cli/client/body.h"
#include "cli/command.h"
#include "cli/commands/claiming.h"
#include "cli/project/config.h"
#include "cli/project/project.h"
#include "cli/render/port_variable.h"
#include "cli/render/render.h"

struct request {
	const char *id;	    /* NULL = not given */
	char cwd[PATH_MAX]; /* "" = it was deleted */
	uint16_t port;	    /* 0 = assign one */
	const char *range, *ttl, *health;
	bool protect, unprotect;
	/* of the file that the service is in; NULL = of none: its ID says */
	const char *name;
	const struct config *config; /* of the directory; NULL = none was asked */
};

static int check_range(const struct command_line *line, const struct request *request)
{
	struct port_range range;

	if (!request->range)
		return 0;
	if (request->port)
		return render_usage_error(line, "--port and --range exclude each other");
	if (port_range_parse(request->range, &range) == 0)
		return 0;
	return render_usage_error(line,
				  "--range '%.100s' is no range of ports, for example 4000-4999",
				  request->range);
}

static int check_health(const struct command_line *line, const char *text)
{
	struct health_path path;
	const char *why;

	if (!text || health_path_parse(text, &path, &why) == 0)
		return 0;
	return render_usage_error(
		line, "--health '%.100s' cannot be used: %s; for example /health, or https:/health",
		text, why);
}

/* What was meant by `pd claim 3000`. */
static int check_name(const struct command_line *line, const char *id)
{
	uint16_t port;

	if (!identity_is_number(id))
		return check_identity(line, id);
	if (check_port(line, id, &port))
		return outcome_row(OUTCOME_BAD_REQUEST)->exit_code;
	return render_usage_error(line,
				  "%s is a port and no name: pd claim NAME -p %s claims it, and pd "
				  "why %s says who has it",
				  id, id, id);
}

static int read_request(const struct command_line *line, struct request *request)
{
	const char *port = command_value(line, "port");
	int64_t ttl_s;
	int r = 0;

	*request = (struct request){
		.id = line->n_args ? line->args[0] : NULL,
		.range = command_value(line, "range"),
		.ttl = command_value(line, "ttl"),
		.health = command_value(line, "health"),
		.protect = command_value(line, "protect"),
		.unprotect = command_value(line, "no-protect"),
	};
	if (request->protect && request->unprotect)
		return render_usage_error(line, "--protect and --no-protect exclude each other");
	if (!getcwd(request->cwd, sizeof(request->cwd)))
		request->cwd[0] = '\0';
	if (request->id)
		r = check_name(line, request->id);
	if (!r && port)
		r = check_port(line, port, &request->port);
	r = r ?: check_range(line, request);
	if (!r && request->ttl)
		r = check_duration(line, "ttl", request->ttl, &ttl_s);
	return r ? r : check_health(line, request->health);
}

static struct json_object *body_of(const struct request *request)
{
	struct json_object *o = json_object_new_object();

	body_add_text(o, "id", request->id);
	if (request->port)
		json_object_object_add(o, "port", json_object_new_int(request->port));
	body_add_text(o, "range", request->range);
	body_add_text(o, "ttl", request->ttl);
	body_add_text(o, "health", request->health);
	body_add_text(o, "cwd", request->cwd);
	if (request->protect || request->unprotect)
		json_object_object_add(o, "protect", json_object_new_boolean(request->protect));
	return o;
}

/* --- for the shell and for .env --- */

/* The service's own name of "shop:web:fix-cart": its second part, or the only one. */
static void name_of(const char *id, char ret[static IDENTITY_PART_MAX + 1])
{
	const char *colon = strchr(id, ':'), *name = colon ? colon + 1 : id;

	snprintf(ret, IDENTITY_PART_MAX + 1, "%.*s", (int)strcspn(name, ":"), name);
}

static bool prints_variables(const struct command_line *line)
{
	return command_value(line, "export") || command_value(line, "env");
}

static void show_variable(const struct command_line *line, const char *name, int port, bool alone)
{
	port_variable_show(name, port, alone, command_value(line, "export") != NULL);
}

static void show(const struct command_line *line, const struct request *request,
		 struct json_object *answer)
{
	char name[IDENTITY_PART_MAX + 1];
	int port = (int)answer_int(answer, "port");
	int previous = (int)answer_int(answer, "previousPort");

	if (prints_variables(line)) {
		name_of(request->id, name);
		show_variable(line, request->name ? request->name : name, port, true);
	} else if (line->quiet) {
		printf("%d\n", port);
	} else {
		render_text(TONE_PLAIN, "Port %d claimed for %s", port, answer_text(answer, "id"));
		if (previous && previous != port)
			render_text(TONE_DIM, " (it had %d)", previous);
		else if (answer_bool(answer, "existing"))
			render_text(TONE_DIM, " (already yours)");
		if (request->protect)
			render_text(TONE_GOOD,
				    ", protected: only what pd run starts as it gets it");
		else if (request->unprotect)
			render_text(TONE_PLAIN, ", not protected any more");
		render_newline();
	}
}

static int claim_one(const struct command_line *line, const struct request *request)
{
	_cleanup_(answer_freep) struct json_object *body = body_of(request);
	_cleanup_(answer_freep) struct json_object *answer = NULL;
	int r = claiming_post(line->json, body, &answer);

	if (r)
		return r;
	if (line->json) {
		render_json(answer);
		return 0;
	}
	show(line, request, answer);
	claiming_tell_notices(answer);
	claiming_tell_near(request->config, answer);
	return 0;
}

/* --- the services of a configuration --- */

static const char *note_of(struct json_object *service, char *ret, size_t size)
{
	int port = (int)answer_int(service, "port");
	int previous = (int)answer_int(service, "previousPort");

	ret[0] = '\0';
	if (previous && previous != port)
		snprintf(ret, size, "claimed, it had %d", previous);
	else
		snprintf(ret, size, "%s",
			 answer_bool(service, "existing") ? "already yours" : "claimed");
	return ret;
}

static void show_table(struct json_object *services, bool is_protected)
{
	static const char *const headings[] = { "Service", "Port", "Claim" };
	struct render_table *t = render_table_new(headings, ARRAY_SIZE(headings));
	char note[64];

	render_table_right(t, 1);
	for (size_t i = 0; i < answer_length(services); i++) {
		struct json_object *service = answer_at(services, i);
		bool existing = answer_bool(service, "existing");

		render_table_cell(t, TONE_PLAIN, "%s", answer_text(service, "id"));
		render_table_cell(t, TONE_PLAIN, "%d", (int)answer_int(service, "port"));
		render_table_cell(t, existing ? TONE_DIM : TONE_GOOD, "%s%s",
				  note_of(service, note, sizeof(note)),
				  is_protected ? ", protected" : "");
	}
	render_table_print(t);
}

static void show_all(const struct command_line *line, struct json_object *answer,
		     const struct config *config)
{
	struct json_object *services = answer_member(answer, "services");

	if (line->json) {
		render_json(answer);
	} else if (prints_variables(line)) {
		for (size_t i = 0; i < config->n; i++)
			show_variable(line, config->services[i].name,
				      (int)answer_int(answer_at(services, i), "port"),
				      config->n == 1);
	} else if (line->quiet) {
		for (size_t i = 0; i < answer_length(services); i++)
			printf("%d\n", (int)answer_int(answer_at(services, i), "port"));
	} else {
		show_table(services, command_value(line, "protect"));
	}
}

/* All of them or none: a project half of whose ports belong to somebody else does not run. */
static int claim_services(const struct command_line *line, struct request *request,
			  const struct config *config)
{
	_cleanup_(answer_freep) struct json_object *body = NULL;
	_cleanup_(answer_freep) struct json_object *answer = NULL;
	struct json_object *services;
	int r = prints_variables(line) ? claiming_check_variables(line, config) : 0;

	if (r)
		return r;
	if (!request->range && *config->range)
		request->range = config->range;
	body = body_of(request);
	claiming_add_services(body, config);
	r = answer_get(line->json, "POST", "/v1/claims", body, &answer);
	if (r && !line->json && config->n > 1)
		render_note("none of the %zu services of %s was claimed", config->n, config->path);
	r = r ?: claiming_check_services(line, answer, config);
	if (!r)
		show_all(line, answer, config);
	services = answer_member(answer, "services");
	for (size_t i = 0; !r && !line->json && i < answer_length(services); i++)
		claiming_tell_notices(answer_at(services, i));
	return r;
}

/* What a configuration that names several services cannot share out. */
static int check_shared(const struct command_line *line, const struct request *request,
			const struct config *config)
{
	if (config->n == 0)
		return render_usage_error(
			line, "%s names no services: {\"services\": {\"web\": {}}}", config->path);
	if (request->health || (request->port && config->n > 1))
		return render_usage_error(line, "%s names the services; --%s needs an ID",
					  config->path, request->health ? "health" : "port");
	return 0;
}

/* A name that nobody would guess is said. */
static void say_if_nameless(const char *cwd, const char *id)
{
	const char *slash = strrchr(cwd, '/');
	char part[IDENTITY_PART_MAX + 1];

	if (slash && !identity_part_from(slash + 1, part) && !strncmp(id, part, strlen(part)))
		render_note("a service's name has the letters A to Z: this directory's is %s; "
			    "another one: pd claim NAME",
			    part);
}

/* Without ID: what the configuration names, else the directory. */
static int claim_here(const struct command_line *line, struct request *request)
{
	_cleanup_(config_freep) struct config *config = NULL;
	char id[IDENTITY_MAX + 1];
	int r;

	if (!*request->cwd)
		return render_usage_error(
			line,
			"this directory was deleted and has no name; give one: pd claim myapp:web");
	r = check_config(line, request->cwd, &config);
	if (!r && config)
		r = check_shared(line, request, config);
	if (r)
		return r;
	if (config && request->port) {
		request->id = config->services[0].id;
		request->name = config->services[0].name;
		request->health = config->services[0].health;
		return claim_one(line, request);
	}
	if (config)
		return claim_services(line, request, config);
	r = project_identity(request->cwd, id);
	if (r < 0)
		return render_usage_error(line,
					  "git's files around this directory cannot be read (%s); "
					  "give a name: pd claim myapp:web",
					  strerror(-r));
	if (identity_is_number(id))
		return render_usage_error(
			line,
			"this directory's name, %s, is a number; give a name: pd claim myapp:web",
			id);
	say_if_nameless(request->cwd, id);
	request->id = id;
	return claim_one(line, request);
}

/* In a project a service's name means the one of its file, with what the file says of it. */
static void mean_service(struct request *request, const struct config *config)
{
	const struct config_service *service = config_service_of(config, request->id);

	if (!service && !config_is_of_project(config, request->id))
		return;
	if (!request->range && !request->port && *config->range)
		request->range = config->range;
	if (!service)
		return;
	request->id = service->id;
	request->name = service->name;
	if (!request->health && *service->health)
		request->health = service->health;
}

static int claim_named(const struct command_line *line, struct request *request)
{
	_cleanup_(config_freep) struct config *config = NULL;
	int r = *request->cwd ? check_config(line, request->cwd, &config) : 0;

	if (r)
		return r;
	request->config = config;
	if (config)
		mean_service(request, config);
	return claim_one(line, request);
}

static int run(const struct command_line *line)
{
	struct request request;
	int r = read_request(line, &request);

	if (r)
		return r;
	return request.id ? claim_named(line, &request) : claim_here(line, &request);
}

const struct command cmd_claim = {
	.name = "claim",
	.arguments = "[ID] [-p PORT | --range A-B] [--ttl DUR] [--health PATH] [--protect | --no-protect] [--export | --env]",
	.summary = "claim a port for a service, or get the one that it has",
	.details =
		"ID is project, project:stack or project:stack:context.  The same ID gets the same\n"
		"port every time, on every machine where that port is free.\n"
		"\n"
		"Without ID, the services of the nearest .portdaddyrc are claimed, all of them or\n"
		"none; where there is no such file, one that is named after the current directory.\n"
		"In a linked git worktree the branch becomes the context, so that each checkout has\n"
		"ports of its own: in a worktree of shop on the branch fix/cart these are\n"
		"shop:web:fix-cart and, without a .portdaddyrc, shop:" PROJECT_STACK ":fix-cart.\n"
		"\n"
		"--protect makes a promise of it, which the kernel keeps: until the release, the end of\n"
		"the claim's time or --no-protect only what pd run and pd up start as ID may bind the\n"
		"port; everybody else, root included, gets EADDRINUSE, and pd why says who has it.\n"
		"\n"
		"In the directory of a .portdaddyrc, and below, api and shop:api mean its service api,\n"
		"with the range and the health path of the file.\n"
		"\n"
		"The port is the name's home.  Where somebody else holds that, another one is given, who\n"
		"it is is said on stderr, and the claim returns by itself.\n"
		"\n"
		"--export prints a variable for each service, API_PORT of api, and PORT besides where\n"
		"there is just one; --env the same as lines of a .env file.\n"
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
		{ "protect", 0, NULL, "nobody else gets the port: only what pd run starts as it" },
		{ "no-protect", 0, NULL, "everybody may bind it again" },
		{ "export", 0, NULL, "print `export API_PORT=3101` for eval, and PORT where there is just one" },
		{ "env", 0, NULL, "the same without `export`, for a .env file" },
		{ NULL },
	},
	.run = run,
};
