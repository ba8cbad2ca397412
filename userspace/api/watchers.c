/* SPDX-License-Identifier: MIT */
#include "api/watchers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/state.h"
#include "http/answer.h"
#include "http/commit.h"
#include "http/lines.h"
#include "http/request.h"

struct watcher {
	struct watcher *next, *previous;
	struct watchers *all;
	struct lines *lines;
	void *params; /* of its request, with the filter */
	const struct activity_filter *filter;
};

struct watchers {
	struct api *api;
	const struct stream *stream;
	struct watcher *first;
};

int watchers_new(struct api *api, const struct stream *stream, struct watchers **ret)
{
	struct watchers *ws = calloc(1, sizeof(*ws));

	if (!ws)
		return -ENOMEM;
	ws->api = api;
	ws->stream = stream;
	*ret = ws;
	return 0;
}

void watchers_free(struct watchers *ws)
{
	free(ws);
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

	json_add_text(hello, "stream", w->all->stream->name);
	lines_put(w->lines, hello);
}

int watchers_add(struct watchers *ws, struct request *r, const struct activity_filter *filter)
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
	w->next = ws->first;
	if (w->next)
		w->next->previous = w;
	ws->first = w;
	say_hello(w);
	return 0;
}

/* --- entries --- */

static void show_entry(struct watchers *ws, const struct activity *entry)
{
	_cleanup_json_ struct json_object *line = ws->stream->entry(entry);

	for (struct watcher *w = ws->first; line && w; w = w->next)
		if (activity_filter_accepts(w->filter, entry->action, entry->service))
			lines_put(w->lines, line);
}

struct staged_activity {
	struct watchers *watchers;
	struct activity entry; /* its strings point into `text` */
	char text[];
};

static void on_committed(int error, void *user_data)
{
	_cleanup_free_ struct staged_activity *staged = user_data;

	if (!error)
		show_entry(staged->watchers, &staged->entry);
}

static struct staged_activity *copy_activity(const struct activity *entry)
{
	struct activity copy = *entry;
	const char **const texts[] = { &copy.service, &copy.details, &copy.comm, &copy.call,
				       &copy.addr };
	size_t sizes[ARRAY_SIZE(texts)], total = 0;
	struct staged_activity *staged;
	char *at;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		total += sizes[i] = *texts[i] ? strlen(*texts[i]) + 1 : 1;
	staged = calloc(1, sizeof(*staged) + total);
	if (!staged)
		return NULL;
	at = staged->text;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		*texts[i] = memcpy(at, *texts[i] ? *texts[i] : "", sizes[i]);
		at += sizes[i];
	}
	staged->entry = copy;
	return staged;
}

int watchers_show_entry(struct watchers *ws, const struct activity *entry)
{
	struct staged_activity *staged;
	int r;

	if (!ws->first)
		return 0;
	staged = copy_activity(entry);
	if (!staged)
		return -ENOMEM;
	staged->watchers = ws;
	r = commit_stage_call(server_commits(ws->api->server), on_committed, staged);
	if (r)
		free(staged);
	return r;
}

/* --- kernel events --- */

void watchers_show_event(struct watchers *ws, const struct event *event, const char *service,
			 int64_t at_unix)
{
	_cleanup_json_ struct json_object *line = NULL;

	for (struct watcher *w = ws->first; w; w = w->next) {
		if (!activity_filter_accepts(w->filter, -1, service))
			continue;
		if (!line)
			line = ws->stream->event(ws->api, event, service, at_unix);
		if (!line)
			return;
		lines_put(w->lines, line);
	}
}
