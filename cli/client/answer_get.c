/* SPDX-License-Identifier: MIT */
/* Asks the daemon on behalf of a command: an error is rendered, and becomes pd's exit code. */
#include <json-c/json.h>
#include <stdio.h>

#include "cli/client/answer.h"
#include "cli/client/stop_guard.h"
#include "cli/render/render.h"

int answer_get(bool json, const char *method, const char *path, struct json_object *body,
	       struct json_object **ret)
{
	_cleanup_(answer_freep) struct json_object *answer = NULL;
	enum outcome outcome = client_request(method, path, body, &answer);

	if (outcome == OUTCOME_OK)
		*ret = TAKE_PTR(answer);
	else if (!stop_guard_asked()) /* whoever gave up waiting is not told of it */
		render_outcome(json, outcome, answer);
	return outcome_row(outcome)->exit_code;
}

/* --- lists in pages --- */

static size_t count_rows(struct json_object *answer)
{
	size_t n = 0;

	json_object_object_foreach(answer, key, value) {
		(void)key;
		n += answer_length(value);
	}
	return n;
}

/* The rows of each list of a page behind those that are there. */
static void append_page(struct json_object *answer, struct json_object *page)
{
	json_object_object_foreach(page, key, list) {
		struct json_object *all = answer_member(answer, key);

		if (!json_object_is_type(all, json_type_array))
			continue;
		for (size_t i = 0; i < answer_length(list); i++)
			json_object_array_add(all, json_object_get(answer_at(list, i)));
	}
}

/* What the last page had too many, where there is one list. */
static void cut(struct json_object *answer, size_t rows)
{
	json_object_object_foreach(answer, key, list) {
		size_t n = answer_length(list);

		(void)key;
		if (n > rows)
			json_object_array_del_idx(list, rows, n - rows);
	}
}

static int get_next(bool json, const char *path, const char *next, struct json_object **ret)
{
	char page[CLIENT_PAGE_PATH_SIZE];

	if (client_page_path(path, next, page) < 0)
		return render_fail(json, OUTCOME_FAILED, CLIENT_TOO_LONG_NEXT);
	return answer_get(json, "GET", page, NULL, ret);
}

int answer_get_list(bool json, const char *path, size_t rows, struct json_object **ret)
{
	_cleanup_(answer_freep) struct json_object *answer = NULL;
	char next[CLIENT_PAGE_PATH_SIZE];
	int r = answer_get(json, "GET", path, NULL, &answer);

	if (r)
		return r;
	snprintf(next, sizeof(next), "%s", answer_text(answer, "next"));
	for (int pages = 1; *next && (!rows || count_rows(answer) < rows); pages++) {
		_cleanup_(answer_freep) struct json_object *page = NULL;

		if (pages == CLIENT_PAGES_MAX)
			return render_fail(json, OUTCOME_FAILED, CLIENT_TOO_MANY_PAGES);
		r = get_next(json, path, next, &page);
		if (r)
			return r;
		append_page(answer, page);
		snprintf(next, sizeof(next), "%s", answer_text(page, "next"));
	}
	if (rows)
		cut(answer, rows);
	json_object_object_del(answer, "next");
	*ret = TAKE_PTR(answer);
	return 0;
}

int answer_list(bool json, const char *path, rows_each each, void *user_data,
		struct json_object **ret)
{
	_cleanup_(answer_freep) struct json_object *rest = NULL;
	enum outcome outcome = client_list(path, each, user_data, &rest);

	if (outcome == OUTCOME_OK)
		*ret = TAKE_PTR(rest);
	return render_outcome(json, outcome, rest);
}
