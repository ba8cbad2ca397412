/* SPDX-License-Identifier: MIT */
/*
 * What pd prints of an answer, whoever has sent it: whatever the names of processes and services
 * are, a terminal sees lines of text, and nothing that it would obey.
 */
#include <json-c/json.h>

#include "base/text.h"
#include "cli/client/answer.h"
#include "cli/render/entry_view.h"
#include "cli/render/find_view.h"
#include "cli/render/health_view.h"
#include "cli/render/render.h"
#include "cli/render/why_view.h"
#include "fuzz/fuzz.h"

static void show_services(struct json_object *o)
{
	struct find_view *v = find_view_new(false, true);
	struct json_object *services = answer_member(o, "services");
	struct json_object *orphans = answer_member(o, "orphans");

	for (size_t i = 0; i < answer_length(services); i++)
		find_view_add_service(v, answer_at(services, i));
	for (size_t i = 0; i < answer_length(orphans); i++)
		find_view_add_orphan(v, answer_at(orphans, i));
	find_view_print(v);
	find_view_free(v);
}

static void show_sockets(struct json_object *o)
{
	struct find_view *v = find_view_new(true, false);
	struct json_object *sockets = answer_member(o, "sockets");

	for (size_t i = 0; i < answer_length(sockets); i++)
		find_view_add_socket(v, answer_at(sockets, i));
	find_view_print(v);
	find_view_free(v);
}

static void show_health(struct json_object *o)
{
	struct json_object *services = answer_member(o, "services");
	int width = health_view_width(services);

	for (size_t i = 0; i < answer_length(services); i++) {
		health_view_line(answer_at(services, i), width);
		health_view_change(answer_at(services, i), width);
		health_view_one(answer_at(services, i));
		health_view_differs(answer_at(services, i), answer_at(services, 0));
	}
}

static void show_entries(struct json_object *o)
{
	struct json_object *entries = answer_member(o, "entries");

	for (size_t i = 0; i < answer_length(entries); i++)
		entry_view(answer_at(entries, i), ENTRY_VIEW_WIDTH, i & 1);
}

static void show_error(struct json_object *o)
{
	render_outcome(false, OUTCOME_FAILED, o);
}

static void (*const views[])(struct json_object *o) = { why_view,    show_services, show_sockets,
							show_health, show_entries,  show_error };

/* What the view writes, on either stream; free() it. */
static char *written_by(void (*view)(struct json_object *o), struct json_object *o, size_t *ret_n)
{
	FILE *out = stdout, *error = stderr;
	char *text = NULL;
	FILE *file = open_memstream(&text, ret_n);

	must(file);
	stdout = stderr = file;
	view(o);
	stdout = out;
	stderr = error;
	must(fclose(file) == 0 && text);
	return text;
}

static void check_lines(char *text, size_t n)
{
	char *rest = text, *line;

	must(strlen(text) == n);
	while ((line = strsep(&rest, "\n"))) {
		size_t room = strlen(line) + 2;
		_cleanup_free_ char *escaped = malloc(room);

		must(escaped);
		must(strcmp(text_escape_terminal(line, escaped, room), line) == 0);
	}
}

int fuzz(const uint8_t *bytes, size_t size)
{
	struct fuzz_input in = { bytes, size };
	uint8_t view = fuzz_take_byte(&in) % ARRAY_SIZE(views);
	struct json_tokener *tokener = json_tokener_new();
	struct json_object *o;
	size_t n = 0;
	char *text;

	setenv("LC_ALL", "C.UTF-8", 1);
	render_setup("never");
	must(tokener);
	o = json_tokener_parse_ex(tokener, (const char *)in.bytes, (int)in.size);
	if (json_object_is_type(o, json_type_object)) {
		text = written_by(views[view], o, &n);
		check_lines(text, n);
		free(text);
	}
	json_object_put(o);
	json_tokener_free(tokener);
	return 0;
}
