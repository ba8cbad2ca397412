/* SPDX-License-Identifier: MIT */
#include "cli/project/config_text.h"

#include <errno.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define JSON_DEPTH_MAX	 16
#define PLACE_SIZE	 (PATH_MAX + 64)
#define NAME_SHOWN_BYTES 64

DEFINE_CLEANUP(struct json_tokener *, json_tokener_free);

/* --- faults --- */

static char *place_of_byte(const struct config_text *t, size_t at, char *ret, size_t size)
{
	int line = 1, column = 1;

	for (size_t i = 0; i < at && i < t->n; i++) {
		if (t->text[i] == '\n') {
			line++;
			column = 1;
		} else if ((t->text[i] & 0xc0) != 0x80) {
			column++; /* characters, not bytes */
		}
	}
	snprintf(ret, size, "%s: line %d, column %d: ", t->path, line, column);
	return ret;
}

/* A value knows its place by its user data: the offset behind it, so that NULL is none. */
char *config_text_place(const struct config_text *t, struct json_object *value, char *ret,
			size_t size)
{
	uintptr_t at = value ? (uintptr_t)json_object_get_userdata(value) : 0;

	if (at)
		return place_of_byte(t, at - 1, ret, size);
	snprintf(ret, size, "%s: ", t->path);
	return ret;
}

static int fail_behind(const struct config_text *t, const char *place, const char *format,
		       va_list args) __attribute__((format(printf, 3, 0)));

static int fail_behind(const struct config_text *t, const char *place, const char *format,
		       va_list args)
{
	int n = snprintf(t->error, t->error_size, "%s", place);

	if (n >= 0 && (size_t)n < t->error_size)
		vsnprintf(t->error + n, t->error_size - (size_t)n, format, args);
	return -EINVAL;
}

int config_text_fail(const struct config_text *t, struct json_object *value, const char *format,
		     ...)
{
	char place[PLACE_SIZE];
	va_list args;

	va_start(args, format);
	fail_behind(t, config_text_place(t, value, place, sizeof(place)), format, args);
	va_end(args);
	return -EINVAL;
}

static int fail_at(const struct config_text *t, size_t at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int fail_at(const struct config_text *t, size_t at, const char *format, ...)
{
	char place[PLACE_SIZE];
	va_list args;

	va_start(args, format);
	fail_behind(t, place_of_byte(t, at, place, sizeof(place)), format, args);
	va_end(args);
	return -EINVAL;
}

/* --- the file --- */

static int read_bytes(struct config_text *t, int fd, size_t size)
{
	t->text = malloc(size + 1);
	if (!t->text)
		return config_text_fail(t, NULL, "%s", strerror(ENOMEM));
	while (t->n < size) {
		ssize_t n = read(fd, t->text + t->n, size - t->n);

		if (n < 0 && errno != EINTR)
			return config_text_fail(t, NULL, "%s", strerror(errno));
		if (n == 0)
			break;
		t->n += n > 0 ? (size_t)n : 0;
	}
	t->text[t->n] = '\0';
	return 0;
}

static int read_all(struct config_text *t, int fd)
{
	struct stat st;
	const char *nul;
	int r;

	if (fstat(fd, &st) < 0)
		return config_text_fail(t, NULL, "%s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return config_text_fail(t, NULL, "is no file");
	if (st.st_size > CONFIG_TEXT_MAX_BYTES)
		return config_text_fail(t, NULL, "is %lld bytes long; at most %d are read",
					(long long)st.st_size, CONFIG_TEXT_MAX_BYTES);
	r = read_bytes(t, fd, (size_t)st.st_size);
	if (r < 0)
		return r;
	nul = memchr(t->text, '\0', t->n);
	return nul ? fail_at(t, (size_t)(nul - t->text), "a NUL byte; is this a text?") : 0;
}

/* --- JSON --- */

/* Behind blanks and comments. */
static const char *skip_blanks(const char *text)
{
	for (;;) {
		const char *end;

		text += strspn(text, " \t\r\n");
		if (strncmp(text, "//", 2) == 0)
			end = strchrnul(text, '\n');
		else if (strncmp(text, "/*", 2) == 0 && (end = strstr(text + 2, "*/")))
			end += 2;
		else
			return text;
		text = end;
	}
}

static int parse(struct config_text *t)
{
	_cleanup_(json_tokener_freep) struct json_tokener *tokener =
		json_tokener_new_ex(JSON_DEPTH_MAX);
	enum json_tokener_error e;
	size_t end;

	if (!tokener)
		return config_text_fail(t, NULL, "%s", strerror(ENOMEM));
	if (t->text[strspn(t->text, " \t\r\n")] == '\0')
		return config_text_fail(t, NULL, "is empty");
	json_tokener_set_flags(tokener, JSON_TOKENER_VALIDATE_UTF8);
	/* With the NUL, or an unfinished text would wait for more. */
	t->root = json_tokener_parse_ex(tokener, t->text, (int)t->n + 1);
	e = json_tokener_get_error(tokener);
	end = json_tokener_get_parse_end(tokener);
	/* it may have taken the NUL, too */
	if (end > t->n)
		end = t->n;
	if (e != json_tokener_success)
		return fail_at(t, end, "%s", json_tokener_error_desc(e));
	/* json-c skips comments before a value; behind the last one they are skipped here */
	if (*skip_blanks(t->text + end))
		return fail_at(t, (size_t)(skip_blanks(t->text + end) - t->text),
			       "something stands behind the object");
	return 0;
}

/* --- places --- */

/*
 * Walks over a text that json-c has accepted, hand in hand with what it made of it: the names are
 * found by their colons, everything else is json-c's word.
 */
struct walk {
	const struct config_text *t;
	const char *p;
	struct {
		struct json_object *object; /* NULL: an array, or what a later name replaced */
		int names;
	} stack[JSON_DEPTH_MAX + 1];
	int depth;
	const char *string, *string_end; /* the last one, with its quotes */
	struct json_object *value;	 /* of the name whose colon came last */
	size_t surplus; /* where more names stand than the object has; 0 = nowhere */
};

static void walk_string(struct walk *w)
{
	char quote = *w->p;

	w->string = w->p++;
	while (*w->p && *w->p != quote)
		w->p += *w->p == '\\' && w->p[1] ? 2 : 1;
	if (*w->p)
		w->p++;
	w->string_end = w->p;
}

/* The name as json-c reads it: with its escapes resolved. */
static struct json_object *decode_name(const struct walk *w)
{
	_cleanup_(json_tokener_freep) struct json_tokener *tokener = json_tokener_new();

	return tokener && w->string
		       ? json_tokener_parse_ex(tokener, w->string, (int)(w->string_end - w->string))
		       : NULL;
}

static int walk_name(struct walk *w)
{
	struct json_object *object = w->stack[w->depth].object;
	struct json_object *name = decode_name(w);
	int r = 0;

	w->value = NULL;
	w->stack[w->depth].names++;
	if (name && object)
		json_object_object_get_ex(object, json_object_get_string(name), &w->value);
	if (w->value && json_object_get_userdata(w->value))
		r = fail_at(w->t, (size_t)(w->string - w->t->text), "\"%.*s\" stands here twice",
			    NAME_SHOWN_BYTES, json_object_get_string(name));
	else if (w->value)
		json_object_set_userdata(w->value, (void *)(uintptr_t)(w->string - w->t->text + 1),
					 NULL);
	json_object_put(name);
	return r;
}

static void walk_in(struct walk *w)
{
	bool is_object = *w->p == '{' && json_object_is_type(w->value, json_type_object);

	if (w->depth < JSON_DEPTH_MAX)
		w->depth++;
	w->stack[w->depth].object = is_object ? w->value : NULL;
	w->stack[w->depth].names = 0;
	w->value = NULL;
}

static void walk_out(struct walk *w)
{
	struct json_object *object = w->stack[w->depth].object;

	if (object && w->stack[w->depth].names > json_object_object_length(object) && !w->surplus)
		w->surplus = (size_t)(w->p - w->t->text);
	if (w->depth > 0)
		w->depth--;
}

static int walk_char(struct walk *w)
{
	int r = 0;

	if (*w->p == ':')
		r = walk_name(w);
	else if (*w->p == '{' || *w->p == '[')
		walk_in(w);
	else if (*w->p == '}' || *w->p == ']')
		walk_out(w);
	else if (*w->p == ',')
		w->value = NULL;
	w->p++;
	return r;
}

static int find_places(struct config_text *t)
{
	struct walk w = { .t = t, .p = t->text, .value = t->root };
	int r = 0;

	while (!r && *(w.p = skip_blanks(w.p))) {
		if (*w.p == '"' || *w.p == '\'')
			walk_string(&w);
		else
			r = walk_char(&w);
	}
	/* a name that is null the second time leaves nothing to mark but the sum */
	if (!r && w.surplus)
		r = fail_at(t, w.surplus, "a name stands twice in the object that ends here");
	return r;
}

int config_text_read(const char *path, int fd, char *error, size_t size, struct config_text *ret)
{
	int r;

	*ret = (struct config_text){ .path = path, .error = error, .error_size = size };
	r = read_all(ret, fd);
	r = r ?: parse(ret);
	return r ? r : find_places(ret);
}

void config_text_deinit(struct config_text *t)
{
	json_object_put(t->root);
	free(t->text);
}
