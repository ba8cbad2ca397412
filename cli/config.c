/* SPDX-License-Identifier: MIT */
#include "cli/config.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/health_path.h"
#include "cli/project.h"

#define JSON_DEPTH_MAX 16

DEFINE_CLEANUP(struct json_tokener *, json_tokener_free);

static void json_putp(struct json_object **o)
{
	json_object_put(*o);
}

struct reader {
	const char *path;
	char *error;
	size_t size;
};

static int fail(const struct reader *r, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static int fail(const struct reader *r, const char *format, ...)
{
	va_list args;
	int n = snprintf(r->error, r->size, "%s: ", r->path);

	if (n < 0 || (size_t)n >= r->size)
		return -EINVAL;
	va_start(args, format);
	vsnprintf(r->error + n, r->size - (size_t)n, format, args);
	va_end(args);
	return -EINVAL;
}

/* The whole file, NUL-terminated. */
static int read_all(const struct reader *r, int fd, char **ret, size_t *ret_size)
{
	_cleanup_free_ char *text = NULL;
	size_t used = 0;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return fail(r, "%s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return fail(r, "is no file");
	if (st.st_size > CONFIG_MAX_BYTES)
		return fail(r, "is longer than %d bytes", CONFIG_MAX_BYTES);
	text = malloc((size_t)st.st_size + 1);
	if (!text)
		return fail(r, "%s", strerror(ENOMEM));
	while (used < (size_t)st.st_size) {
		ssize_t n = read(fd, text + used, (size_t)st.st_size - used);

		if (n < 0 && errno != EINTR)
			return fail(r, "%s", strerror(errno));
		if (n == 0)
			break;
		used += n > 0 ? (size_t)n : 0;
	}
	text[used] = '\0';
	*ret = TAKE_PTR(text);
	*ret_size = used;
	return 0;
}

/* Line and column, from 1, of a byte. */
static int fail_at(const struct reader *r, const char *text, size_t at, const char *why)
{
	int line = 1, column = 1;

	for (size_t i = 0; i < at && text[i]; i++) {
		column = text[i] == '\n' ? 1 : column + 1;
		line += text[i] == '\n';
	}
	return fail(r, "line %d, column %d: %s", line, column, why);
}

static bool is_blank(const char *text)
{
	return text[strspn(text, " \t\r\n")] == '\0';
}

/* json-c skips comments before a value; behind the last one they are skipped here. */
static bool only_comments(const char *text)
{
	for (;;) {
		const char *end;

		text += strspn(text, " \t\r\n");
		if (strncmp(text, "//", 2) == 0)
			end = strchrnul(text, '\n');
		else if (strncmp(text, "/*", 2) == 0 && (end = strstr(text + 2, "*/")))
			end += 2;
		else
			return *text == '\0';
		text = end;
	}
}

static int parse(const struct reader *r, const char *text, size_t n, struct json_object **ret)
{
	_cleanup_(json_tokener_freep) struct json_tokener *t = json_tokener_new_ex(JSON_DEPTH_MAX);
	struct json_object *o;
	enum json_tokener_error e;

	if (!t)
		return fail(r, "%s", strerror(ENOMEM));
	if (is_blank(text))
		return fail(r, "is empty");
	/* With the NUL, or an unfinished text would wait for more. */
	o = json_tokener_parse_ex(t, text, (int)n + 1);
	e = json_tokener_get_error(t);
	if (!o || e != json_tokener_success) {
		json_object_put(o);
		return fail_at(r, text, json_tokener_get_parse_end(t), json_tokener_error_desc(e));
	}
	if (!only_comments(text + json_tokener_get_parse_end(t))) {
		json_object_put(o);
		return fail_at(r, text, json_tokener_get_parse_end(t),
			       "something stands behind the object");
	}
	*ret = o;
	return 0;
}

static int read_health(const struct reader *r, const char *name, struct json_object *service,
		       char *ret)
{
	struct json_object *text;
	struct health_path path;
	const char *why = "it is no string";

	ret[0] = '\0';
	if (!json_object_object_get_ex(service, "healthPath", &text))
		return 0;
	if (!json_object_is_type(text, json_type_string) ||
	    health_path_parse(json_object_get_string(text), &path, &why) < 0)
		return fail(r,
			    "the healthPath of service '%s' cannot be used: %s; for example "
			    "/health, or https:/health",
			    name, why);
	health_path_format(&path, ret);
	return 0;
}

/* What all identities of the file share: PROJECT, and the branch or "". */
struct frame {
	char project[IDENTITY_PART_MAX + 1];
	char context[IDENTITY_PART_MAX + 1];
};

static int read_service(const struct reader *r, const struct frame *frame, const char *name,
			struct json_object *value, struct config_service *ret)
{
	const char *why;

	if (strchr(name, ':') || identity_check(name, &why) < 0)
		return fail(r, "'%.100s' is no name of a service: letters, digits, '.', '_', '-'",
			    name);
	if (!json_object_is_type(value, json_type_object))
		return fail(r, "service '%s' is no object", name);
	strcpy(ret->name, name);
	snprintf(ret->id, sizeof(ret->id), "%s:%s%s%s", frame->project, name,
		 *frame->context ? ":" : "", frame->context);
	return read_health(r, name, value, ret->health);
}

static int read_frame(const struct reader *r, struct json_object *root, struct frame *ret)
{
	char directory[PATH_MAX];
	struct json_object *project;
	int e;

	snprintf(directory, sizeof(directory), "%.*s", (int)(strrchr(r->path, '/') - r->path),
		 r->path);
	e = project_parts(directory, ret->project, ret->context);
	if (e < 0)
		return fail(r, "cannot read git's files beside it: %s", strerror(-e));
	if (!json_object_object_get_ex(root, "project", &project))
		return 0;
	if (!json_object_is_type(project, json_type_string) ||
	    strchr(json_object_get_string(project), ':') ||
	    identity_check(json_object_get_string(project), NULL) < 0)
		return fail(r, "\"project\" is no name: letters, digits, '.', '_', '-'");
	strcpy(ret->project, json_object_get_string(project));
	return 0;
}

static int read_services(const struct reader *r, struct json_object *root, struct config *c)
{
	struct json_object *services;
	struct frame frame;
	int e;

	if (!json_object_is_type(root, json_type_object) ||
	    !json_object_object_get_ex(root, "services", &services) ||
	    !json_object_is_type(services, json_type_object) ||
	    json_object_object_length(services) == 0)
		return fail(r, "it names no services: {\"services\": {\"web\": {}}}");
	if (json_object_object_length(services) > CONFIG_SERVICES_MAX)
		return fail(r, "it names more than %d services", CONFIG_SERVICES_MAX);
	e = read_frame(r, root, &frame);
	if (e < 0)
		return e;
	c->services = calloc((size_t)json_object_object_length(services), sizeof(*c->services));
	if (!c->services)
		return fail(r, "%s", strerror(ENOMEM));
	json_object_object_foreach(services, name, value) {
		e = read_service(r, &frame, name, value, &c->services[c->n]);
		if (e < 0)
			return e;
		c->n++;
	}
	return 0;
}

static int load(const char *path, int fd, struct config **ret, char *ret_error, size_t size)
{
	struct reader r = { path, ret_error, size };
	_cleanup_(config_freep) struct config *c = calloc(1, sizeof(*c));
	_cleanup_(json_putp) struct json_object *root = NULL;
	_cleanup_free_ char *text = NULL;
	size_t n = 0;
	int e;

	if (!c || !(c->path = strdup(path)))
		return fail(&r, "%s", strerror(ENOMEM));
	e = read_all(&r, fd, &text, &n);
	if (e == 0)
		e = parse(&r, text, n, &root);
	if (e == 0)
		e = read_services(&r, root, c);
	if (e < 0)
		return e;
	*ret = TAKE_PTR(c);
	return 1;
}

int config_find(const char *directory, struct config **ret, char *ret_error, size_t size)
{
	size_t n = strlen(directory);

	for (;;) {
		_cleanup_close_ int fd = -1;
		char path[PATH_MAX];

		while (n > 0 && directory[n - 1] == '/')
			n--;
		if (snprintf(path, sizeof(path), "%.*s/%s", (int)n, directory, CONFIG_NAME) >=
		    PATH_MAX)
			return -ENAMETOOLONG;
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
		if (fd >= 0)
			return load(path, fd, ret, ret_error, size);
		if (errno != ENOENT && errno != ENOTDIR) {
			snprintf(ret_error, size, "%s: %s", path, strerror(errno));
			return -EINVAL;
		}
		if (n == 0)
			return 0;
		while (n > 0 && directory[n - 1] != '/')
			n--;
	}
}

void config_free(struct config *c)
{
	if (!c)
		return;
	free(c->path);
	free(c->services);
	free(c);
}
