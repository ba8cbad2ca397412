/* SPDX-License-Identifier: MIT */
#include "http/watchers.h"

#include <errno.h>
#include <stdlib.h>

#include "http/answer.h"
#include "http/lines.h"
#include "http/request.h"

struct watcher {
	struct watcher *next, *previous;
	struct watchers *all;
	struct lines *lines;
	void *params; /* of its request, with the filter */
	const void *filter;
	uid_t user; /* whose names it is shown: request_user() */
};

struct watchers {
	const char *name; /* of the stream */
	struct watcher *first;
};

int watchers_new(const char *name, struct watchers **ret)
{
	*ret = calloc(1, sizeof(**ret));
	if (!*ret)
		return -ENOMEM;
	(*ret)->name = name;
	return 0;
}

void watchers_free(struct watchers *ws)
{
	free(ws);
}

bool watchers_are_none(const struct watchers *ws)
{
	return !ws->first;
}

/* --- one watcher --- */

static void on_left(void *user_data)
{
	struct watcher *w = user_data;

	if (w->next)
		w->next->previous = w->previous;
	if (w->previous)
		w->previous->next = w->next;
	else
		w->all->first = w->next;
	free(w->params);
	free(w);
}

static void say_hello(struct watcher *w)
{
	_cleanup_json_ struct json_object *hello = answer_ok_new();

	json_add_text(hello, "stream", w->all->name);
	lines_put(w->lines, hello);
}

int watchers_add(struct watchers *ws, struct request *r, const void *filter)
{
	static const struct lines_calls calls = { .ended = on_left };
	struct watcher *w = calloc(1, sizeof(*w));
	int fault = w ? lines_begin(r, &calls, w, &w->lines) : -ENOMEM;

	if (fault) {
		free(w);
		return fault;
	}
	w->all = ws;
	w->params = TAKE_PTR(r->params);
	w->filter = filter;
	w->user = request_user(r);
	w->next = ws->first;
	if (w->next)
		w->next->previous = w;
	ws->first = w;
	say_hello(w);
	return 0;
}

/* --- all of them --- */

void watchers_show(struct watchers *ws, const struct watchers_show *how, const void *what)
{
	_cleanup_json_ struct json_object *line = NULL;
	uid_t viewer = 0; /* of the line, where there is one: most are of one user */

	for (struct watcher *w = ws->first; w; w = w->next) {
		if (!how->accepts(w->filter, what))
			continue;
		if (line && viewer != w->user) {
			json_object_put(line);
			line = NULL;
		}
		viewer = w->user;
		if (!line)
			line = how->view(what, viewer);
		if (!line)
			return;
		lines_put(w->lines, line);
	}
}
