/* SPDX-License-Identifier: MIT */
#include "cli/project/config.h"

#include <errno.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/health_path.h"
#include "base/moment.h"
#include "base/text.h"
#include "cli/project/config_text.h"
#include "cli/project/project.h"
#include "cli/project/trust.h"

#define WARNING_SIZE (PATH_MAX + 512)

struct reader {
	struct config_text text;
	struct config *config;
};

/* --- warnings --- */

static void warn(struct reader *reader, struct json_object *value, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* One that finds no memory or no room is left out: nothing depends on it. */
static void warn(struct reader *reader, struct json_object *value, const char *format, ...)
{
	struct config *c = reader->config;
	char text[WARNING_SIZE];
	va_list args;
	size_t n;

	if (c->n_warnings == CONFIG_WARNINGS_MAX)
		return;
	n = strlen(config_text_place(&reader->text, value, text, sizeof(text)));
	va_start(args, format);
	if (c->n_warnings == CONFIG_WARNINGS_MAX - 1)
		snprintf(text, sizeof(text), "%s: and more of that kind", c->path);
	else
		vsnprintf(text + n, sizeof(text) - n, format, args);
	va_end(args);
	c->warnings[c->n_warnings] = strdup(text);
	c->n_warnings += c->warnings[c->n_warnings] != NULL;
}

/* --- keys --- */

static const char *const root_keys[] = { "project",    "services", "range",
					 "cleanupAge", "$schema",  NULL };
static const char *const service_keys[] = {
	"healthPath",  "cmd",	    "needs",	   "env",     "cwd",  "restart", "stopSignal",
	"stopTimeout", "hardcoded", "transparent", "protect", "port", NULL
};

static const char *nearest(const char *const *keys, const char *given)
{
	const char *found = NULL;

	for (; *keys; keys++)
		found = text_nearer(given, found, *keys);
	return found;
}

static bool is_among(const char *const *keys, const char *given)
{
	for (; *keys; keys++)
		if (strcmp(*keys, given) == 0)
			return true;
	return false;
}

static void check_keys(struct reader *reader, struct json_object *o, const char *const *keys,
		       const char *where)
{
	json_object_object_foreach(o, key, value) {
		const char *near = nearest(keys, key);

		if (is_among(keys, key))
			continue;
		if (near)
			warn(reader, value, "\"%.100s\" is not known%s; did you mean \"%s\"?", key,
			     where, near);
		else
			warn(reader, value, "\"%.100s\" is not known%s and not obeyed", key, where);
	}
}

/* A text of an object; "" in ret (size bytes) when it is missing, -EINVAL when it is no text. */
static int read_text(const struct reader *reader, struct json_object *o, const char *key,
		     const char *example, char *ret, size_t size)
{
	struct json_object *value;

	ret[0] = '\0';
	if (!json_object_object_get_ex(o, key, &value))
		return 0;
	if (!json_object_is_type(value, json_type_string) ||
	    (size_t)json_object_get_string_len(value) >= size)
		return config_text_fail(&reader->text, value, "\"%s\" is no text like %s", key,
					example);
	strcpy(ret, json_object_get_string(value));
	return 0;
}

/* --- a service --- */

static int read_health(const struct reader *reader, const char *name, struct json_object *service,
		       char ret[static HEALTH_PATH_SIZE])
{
	struct json_object *text;
	struct health_path path;
	const char *why = "it is no string";

	ret[0] = '\0';
	if (!json_object_object_get_ex(service, "healthPath", &text))
		return 0;
	if (!json_object_is_type(text, json_type_string) ||
	    health_path_parse(json_object_get_string(text), &path, &why) < 0)
		return config_text_fail(&reader->text, text,
					"the healthPath of service '%s' cannot be used: %s; for "
					"example /health, or https:/health",
					name, why);
	health_path_format(&path, ret);
	return 0;
}

/* pd up refuses it; for a claim it is only odd. */
static void warn_of_needs(struct reader *reader, const struct config_service *s,
			  struct json_object *services, struct json_object *service)
{
	for (size_t i = 0; i < s->start.n_needs; i++)
		if (!json_object_object_get_ex(services, s->start.needs[i], NULL))
			warn(reader, json_object_object_get(service, "needs"),
			     "service '%s' needs '%.100s', which is not in this file", s->name,
			     s->start.needs[i]);
}

static void warn_of_port(struct reader *reader, const char *id, struct json_object *service)
{
	struct json_object *port;

	if (json_object_object_get_ex(service, "port", &port))
		warn(reader, port,
		     "\"port\" is not obeyed: the name decides, so that a port is the same on "
		     "every "
		     "machine where it is free; for this machine alone: pd claim %s -p %.5s",
		     id, json_object_get_string(port));
}

/* What all identities of the file share: PROJECT, and the branch or "". */
struct frame {
	char project[IDENTITY_PART_MAX + 1];
	char context[IDENTITY_PART_MAX + 1];
};

static int read_service(struct reader *reader, const struct frame *frame, const char *name,
			struct json_object *services, struct config_service *ret)
{
	struct json_object *value = json_object_object_get(services, name);
	const char *why;
	int r;

	if (strchr(name, ':') || identity_check(name, &why) < 0)
		return config_text_fail(
			&reader->text, value,
			"'%.100s' is no name of a service: letters, digits, '.', '_', '-'", name);
	if (!json_object_is_type(value, json_type_object))
		return config_text_fail(
			&reader->text, value,
			"service '%s' is no object like {\"healthPath\": \"/health\"}", name);
	strcpy(ret->name, name);
	snprintf(ret->id, sizeof(ret->id), "%s:%s%s%s", frame->project, name,
		 *frame->context ? ":" : "", frame->context);
	check_keys(reader, value, service_keys, " of a service");
	warn_of_port(reader, ret->id, value);
	r = config_start_read(&reader->text, name, value, &ret->start);
	if (r)
		return r;
	warn_of_needs(reader, ret, services, value);
	return read_health(reader, name, value, ret->health);
}

/* --- the file --- */

static int read_frame(const struct reader *reader, struct frame *ret)
{
	char directory[PATH_MAX];
	struct json_object *project;
	int r;

	snprintf(directory, sizeof(directory), "%.*s",
		 (int)(strrchr(reader->text.path, '/') - reader->text.path), reader->text.path);
	r = project_parts(directory, ret->project, ret->context);
	if (r < 0)
		return config_text_fail(&reader->text, NULL,
					"cannot read git's files beside it: %s", strerror(-r));
	if (!json_object_object_get_ex(reader->text.root, "project", &project))
		return 0;
	if (!json_object_is_type(project, json_type_string) ||
	    strchr(json_object_get_string(project), ':') ||
	    identity_check(json_object_get_string(project), NULL) < 0)
		return config_text_fail(&reader->text, project,
					"\"project\" is no name: letters, digits, '.', '_', '-'");
	strcpy(ret->project, json_object_get_string(project));
	return 0;
}

static int read_services(struct reader *reader)
{
	struct config *c = reader->config;
	struct json_object *services;
	struct frame frame;
	int r = read_frame(reader, &frame);

	if (r == 0)
		strcpy(c->project, frame.project);
	if (r < 0 || !json_object_object_get_ex(reader->text.root, "services", &services))
		return r;
	if (!json_object_is_type(services, json_type_object))
		return config_text_fail(&reader->text, services,
					"\"services\" is no object like {\"web\": {}}");
	if (json_object_object_length(services) > CONFIG_SERVICES_MAX)
		return config_text_fail(&reader->text, services, "it names more than %d services",
					CONFIG_SERVICES_MAX);
	c->services = calloc((size_t)json_object_object_length(services) + 1, sizeof(*c->services));
	if (!c->services)
		return config_text_fail(&reader->text, NULL, "%s", strerror(ENOMEM));
	json_object_object_foreach(services, name, value) {
		(void)value;
		/* of one that is refused, what has been read is freed with the others */
		r = read_service(reader, &frame, name, services, &c->services[c->n++]);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_settings(struct reader *reader)
{
	struct json_object *root = reader->text.root;
	struct config *c = reader->config;
	struct port_range range;
	int64_t age_s;
	int r = read_text(reader, root, "range", "\"4000-4999\"", c->range, sizeof(c->range));

	if (!r)
		r = read_text(reader, root, "cleanupAge", "\"7d\"", c->cleanup_age,
			      sizeof(c->cleanup_age));
	if (!r && *c->range && port_range_parse(c->range, &range) < 0)
		return config_text_fail(&reader->text, json_object_object_get(root, "range"),
					"\"range\" is no range of ports like \"4000-4999\"");
	if (!r && *c->cleanup_age && duration_parse(c->cleanup_age, &age_s, NULL) < 0)
		return config_text_fail(
			&reader->text, json_object_object_get(root, "cleanupAge"),
			"\"cleanupAge\" is no duration like \"12h\", \"7d\" or \"2w\"");
	return r;
}

static int read_root(struct reader *reader)
{
	int r;

	if (!json_object_is_type(reader->text.root, json_type_object))
		return config_text_fail(&reader->text, NULL,
					"is no object like {\"services\": {\"web\": {}}}");
	check_keys(reader, reader->text.root, root_keys, "");
	r = read_settings(reader);
	return r ? r : read_services(reader);
}

static int load(const char *path, int fd, struct config **ret, char *ret_error, size_t size)
{
	_cleanup_(config_freep) struct config *c = calloc(1, sizeof(*c));
	_cleanup_(config_text_deinit) struct config_text text = { 0 };
	struct reader reader = { .config = c };
	int r;

	if (!c || !(c->path = strdup(path))) {
		snprintf(ret_error, size, "%s: %s", path, strerror(ENOMEM));
		return -ENOMEM;
	}
	r = config_text_read(path, fd, ret_error, size, &text);
	reader.text = text;
	r = r ?: read_root(&reader);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(c);
	return 1;
}

static int fail_find(const char *directory, int error, char *ret_error, size_t size)
{
	snprintf(ret_error, size, "%s/" CONFIG_NAME ": %s", directory, strerror(-error));
	return -EINVAL;
}

int config_find(const char *directory, struct config **ret, char *ret_error, size_t size)
{
	_cleanup_(trust_search_end) struct trust_search s;
	int r = trust_search_begin(&s, directory);

	if (r < 0)
		return fail_find(directory, r, ret_error, size);
	while (trust_search_next(&s)) {
		char path[PATH_MAX + sizeof(CONFIG_NAME)];
		struct stat st;
		_cleanup_close_ int fd = trust_search_open(&s, CONFIG_NAME, &st);

		if (fd == -ENOENT)
			continue;
		if (fd >= 0 && S_ISDIR(st.st_mode))
			return fail_find(s.path, -EISDIR, ret_error, size);
		if (fd < 0)
			return fail_find(s.path, fd, ret_error, size);
		snprintf(path, sizeof(path), "%s/" CONFIG_NAME, s.path);
		return load(path, fd, ret, ret_error, size);
	}
	return 0;
}

bool config_is_of_project(const struct config *c, const char *id)
{
	size_t n = strlen(c->project);

	return strncmp(id, c->project, n) == 0 && (id[n] == ':' || id[n] == '\0');
}

const struct config_service *config_service_of(const struct config *c, const char *id)
{
	const char *name = config_is_of_project(c, id) && id[strlen(c->project)] == ':'
				   ? id + strlen(c->project) + 1
				   : id;

	for (size_t i = 0; i < c->n; i++)
		if (strcmp(c->services[i].name, name) == 0 || strcmp(c->services[i].id, id) == 0)
			return &c->services[i];
	return NULL;
}

const char *config_nearest(const struct config *c, const char *id)
{
	const char *near = NULL;

	for (size_t i = 0; i < c->n; i++)
		near = identity_nearer(id, near,
				       strchr(id, ':') ? c->services[i].id : c->services[i].name);
	return near;
}

/* The file of the current directory; NULL where there is none, or where it cannot be read. */
static struct config *find_here(void)
{
	struct config *config = NULL;
	char cwd[PATH_MAX], error[PATH_MAX + 512];

	if (!getcwd(cwd, sizeof(cwd)) || config_find(cwd, &config, error, sizeof(error)) <= 0)
		return NULL;
	return config;
}

const char *config_meant_id(const char *name, char ret[static IDENTITY_MAX + 1])
{
	_cleanup_(config_freep) struct config *config = NULL;
	const struct config_service *service;

	if (identity_check(name, NULL) == 0)
		config = find_here();
	service = config ? config_service_of(config, name) : NULL;
	if (!service)
		return name;
	strcpy(ret, service->id);
	return ret;
}

const char *config_meant_health(const char *match, char ret[static IDENTITY_MAX + 1],
				char ret_paths[static CONFIG_PATHS_SIZE], size_t *ret_left_out)
{
	_cleanup_(config_freep) struct config *config = find_here();
	bool is_one = match && identity_check(match, NULL) == 0;
	const struct config_service *one = config && is_one ? config_service_of(config, match)
							    : NULL;
	size_t used = 0;

	*ret_paths = '\0';
	*ret_left_out = 0;
	for (size_t i = 0; config && i < config->n; i++) {
		const struct config_service *s = &config->services[i];
		size_t room = CONFIG_PATHS_SIZE - used;
		int n;

		if (!*s->health || (is_one && s != one))
			continue;
		n = snprintf(ret_paths + used, room, "%s%s %s", used ? " " : "", s->id, s->health);
		if ((size_t)n < room) {
			used += (size_t)n;
		} else {
			ret_paths[used] = '\0';
			++*ret_left_out;
		}
	}
	return one ? strcpy(ret, one->id) : match;
}

const char *config_directory(const struct config *c, char ret[static PATH_MAX])
{
	int n = (int)(strrchr(c->path, '/') - c->path);

	snprintf(ret, PATH_MAX, "%.*s", n ? n : 1, c->path);
	return ret;
}

void config_free(struct config *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->n_warnings; i++)
		free(c->warnings[i]);
	for (size_t i = 0; i < c->n; i++)
		config_start_deinit(&c->services[i].start);
	free(c->path);
	free(c->services);
	free(c);
}
