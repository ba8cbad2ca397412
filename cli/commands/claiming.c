/* SPDX-License-Identifier: MIT */
#include "cli/commands/claiming.h"

#include <json-c/json.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/identity.h"
#include "base/outcome.h"
#include "cli/arguments/check.h"
#include "cli/client/answer.h"
#include "cli/client/answer_check.h"
#include "cli/client/body.h"
#include "cli/command.h"
#include "cli/project/config.h"
#include "cli/project/project.h"
#include "cli/render/port_variable.h"
#include "cli/render/render.h"
#include "cli/supervise/own_run.h"

static int take_service(const struct config *config, const struct config_service *s,
			struct claiming *w)
{
	strcpy(w->id, s->id);
	w->health = s->health;
	w->start = &s->start;
	w->protect = s->start.protect;
	w->range = config->range;
	return 0;
}

/* Without ID: the only service of the project, else what the directory is called. */
static int find_here(const struct command_line *line, const struct config *config,
		     struct claiming *w)
{
	int r;

	if (!*w->cwd)
		return render_usage_error(
			line,
			"this directory was deleted and has no name; give one: pd %s myapp:web",
			line->command->name);
	if (config && config->n == 1)
		return take_service(config, &config->services[0], w);
	if (config && config->n)
		return render_usage_error(line, "%s names %zu services; say which one: pd %s %s%s",
					  config->path, config->n, line->command->name,
					  config->services[0].name,
					  line->n_args ? " -- CMD..." : "");
	r = project_identity(w->cwd, w->id);
	if (r < 0)
		return render_usage_error(line,
					  "git's files around this directory cannot be read (%s); "
					  "give a name: pd %s myapp:web",
					  strerror(-r), line->command->name);
	return 0;
}

static int find(const struct command_line *line, const struct config *config, const char *id,
		struct claiming *w)
{
	const struct config_service *s = id && config ? config_service_of(config, id) : NULL;
	int r;

	if (!id)
		return find_here(line, config, w);
	if (s)
		return take_service(config, s, w);
	r = check_identity(line, id);
	if (!r)
		strcpy(w->id, id);
	return r;
}

void claiming_tell_near(const struct config *config, struct json_object *answer)
{
	const char *id = answer_text(answer, "id");
	bool is_new = config && !answer_bool(answer, "existing") && !config_service_of(config, id);
	const char *near = is_new ? config_nearest(config, id) : NULL;

	if (near)
		render_note("%s has no service '%s'; if '%s' was meant: pd release %s",
			    config->path, id, near, id);
}

/* On stderr, so that $(pd claim ID -q) stays a number. */
void claiming_tell_notices(struct json_object *service)
{
	struct json_object *notices = answer_member(service, "notices");

	for (size_t i = 0; i < answer_length(notices); i++)
		render_note("%s", answer_item_text(notices, i));
}

int claiming_post(bool json, struct json_object *body, struct json_object **ret)
{
	static const struct answer_rule rules[] = { { NULL, "port", ANSWER_PORT },
						    { NULL, "id", ANSWER_SERVICE } };
	int r = answer_get(json, "POST", "/v1/claims", body, ret);

	return r ? r : answer_check(json, *ret, rules, ARRAY_SIZE(rules));
}

static int claim(const struct command_line *line, const struct claiming *w,
		 struct json_object **ret)
{
	_cleanup_(answer_freep) struct json_object *body = json_object_new_object();
	int r;

	body_add_text(body, "id", w->id);
	body_add_text(body, "range", w->range);
	body_add_text(body, "health", w->health);
	body_add_text(body, "cwd", w->cwd);
	if (w->protect)
		json_object_object_add(body, "protect", json_object_new_boolean(true));
	r = claiming_post(line->json, body, ret);
	if (r)
		return r;
	claiming_tell_notices(*ret);
	claiming_tell_near(w->config, *ret);
	return 0;
}

/* Where its file is; without one, the top of the working tree; "" where neither is. */
static const char *project_of(const struct config *config, const char *cwd,
			      char ret[static PATH_MAX])
{
	if (config)
		return config_directory(config, ret);
	if (!*cwd || project_top(cwd, ret))
		ret[0] = '\0';
	return ret;
}

int claiming_find(const struct command_line *line, const char *id, struct claiming *w)
{
	int r;

	if (!getcwd(w->cwd, sizeof(w->cwd)))
		w->cwd[0] = '\0';
	r = *w->cwd ? check_config(line, w->cwd, &w->config) : 0;
	r = r ?: find(line, w->config, id, w);
	w->protect |= command_value(line, "protect") != NULL;
	return r;
}

int claiming_claim(const struct command_line *line, const struct claiming *w,
		   struct json_object **ret, struct own_run *ret_run)
{
	char project[PATH_MAX];
	int r = claim(line, w, ret);

	if (!r)
		own_run_init(ret_run, answer_text(*ret, "id"), (uint16_t)answer_int(*ret, "port"),
			     w->start, project_of(w->config, w->cwd, project));
	return r;
}

void claiming_deinit(struct claiming *w)
{
	config_freep(&w->config);
	w->config = NULL;
}

/* --- all services of a file --- */

int claiming_check_variables(const struct command_line *line, const struct config *config)
{
	char one[PORT_VARIABLE_SIZE], other[PORT_VARIABLE_SIZE];

	for (size_t i = 0; i < config->n; i++) {
		port_variable_of(config->services[i].name, one);
		for (size_t j = 0; j < i; j++) {
			port_variable_of(config->services[j].name, other);
			if (strcmp(one, other) == 0)
				return render_usage_error(
					line,
					"%s: services '%s' and '%s' would both be %s; rename one, "
					"or claim them by their IDs",
					config->path, config->services[j].name,
					config->services[i].name, one);
		}
	}
	return 0;
}

void claiming_add_services(struct json_object *body, const struct config *config)
{
	struct json_object *list = json_object_new_array();

	json_object_object_add(body, "services", list);
	for (size_t i = 0; i < config->n; i++) {
		struct json_object *service = json_object_new_object();

		body_add_text(service, "id", config->services[i].id);
		body_add_text(service, "health", config->services[i].health);
		json_object_array_add(list, service);
	}
}

/* Their order is that of the request: by it a variable gets its port. */
int claiming_check_services(const struct command_line *line, struct json_object *answer,
			    const struct config *config)
{
	static const struct answer_rule rules[] = { { "services", "port", ANSWER_PORT },
						    { "services", "id", ANSWER_SERVICE } };

	if (answer_length(answer_member(answer, "services")) == config->n)
		return answer_check(line->json, answer, rules, ARRAY_SIZE(rules));
	return render_fail(line->json, OUTCOME_FAILED,
			   "the daemon's answer does not have the services asked for");
}

/* It is claimed. */
static int protect(const struct command_line *line, const char *id)
{
	_cleanup_(answer_freep) struct json_object *body = json_object_new_object();
	_cleanup_(answer_freep) struct json_object *answer = NULL;

	body_add_text(body, "id", id);
	json_object_object_add(body, "protect", json_object_new_boolean(true));
	return answer_get(line->json, "POST", "/v1/claims", body, &answer);
}

int claiming_claim_all(const struct command_line *line, const struct config *config,
		       const char *directory, struct json_object **ret)
{
	_cleanup_(answer_freep) struct json_object *body = json_object_new_object();
	int r = claiming_check_variables(line, config);

	if (r)
		return r;
	body_add_text(body, "range", config->range);
	body_add_text(body, "cwd", directory);
	claiming_add_services(body, config);
	r = answer_get(line->json, "POST", "/v1/claims", body, ret);
	r = r ?: claiming_check_services(line, *ret, config);
	for (size_t i = 0; !r && i < config->n; i++)
		if (config->services[i].start.protect)
			r = protect(line, config->services[i].id);
	return r;
}
