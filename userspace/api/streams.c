/* SPDX-License-Identifier: MIT */
#include "api/streams.h"

#include <errno.h>
#include <stdlib.h>

#include "api/state.h"
#include "base/cleanup.h"
#include "base/event.h"
#include "explain/two_servers.h"
#include "http/commit.h"
#include "http/watchers.h"

static bool accepts_entry(const void *filter, const void *what)
{
	const struct activity *entry = what;

	return activity_filter_accepts(filter, entry->action, entry->service, entry->port);
}

static bool accepts_run(const struct events_runs *runs, uint32_t run)
{
	for (size_t i = 0; i < runs->n; i++)
		if (runs->numbers[i] == run)
			return true;
	return !runs->n;
}

static bool accepts_event(const void *filter, const void *what)
{
	const struct events_filter *f = filter;
	const struct shown_event *shown = what;

	if (!accepts_run(&f->runs, shown->what.event->named_run))
		return false;
	return activity_filter_accepts(&f->log.activity, -1, shown->what.service,
				       shown->what.event->port);
}

static bool accepts_entry_as_event(const void *filter, const void *what)
{
	const struct events_filter *f = filter;

	return !f->runs.n && accepts_entry(&f->log.activity, what);
}

static struct json_object *view_shown(const void *what, uid_t viewer)
{
	const struct shown_event *shown = what;
	const struct event *e = shown->what.event;
	struct view_event event = shown->what;
	char warning[TWO_SERVERS_WARNING_SIZE];

	if (e->kind == EVENT_LISTEN && two_servers_warning(shown->api->config.inventory, e->netns,
							   e->protocol, e->port, warning))
		event.warning = warning;
	return view_event(&event, viewer);
}

struct staged_entry {
	struct api *api;
	struct activity *entry;
};

static void on_committed(int error, void *user_data)
{
	static const struct watchers_show as_event = { accepts_entry_as_event,
						       view_entry_as_event };
	static const struct watchers_show as_entry = { accepts_entry, view_entry };
	_cleanup_free_ struct staged_entry *staged = user_data;

	if (!error) {
		watchers_show(staged->api->events_watchers, &as_event, staged->entry);
		watchers_show(staged->api->activity_watchers, &as_entry, staged->entry);
	}
	free(staged->entry);
}

int streams_show_entry(struct api *api, const struct activity *entry)
{
	struct staged_entry *staged;
	int r;

	if (watchers_are_none(api->events_watchers) && watchers_are_none(api->activity_watchers))
		return 0;
	staged = calloc(1, sizeof(*staged));
	if (!staged)
		return -ENOMEM;
	staged->api = api;
	r = activity_copy(entry, &staged->entry);
	r = r ?: commit_stage_call(server_commits(api->server), on_committed, staged);
	if (r) {
		free(staged->entry);
		free(staged);
	}
	return r;
}

void streams_show_event(const struct shown_event *shown)
{
	static const struct watchers_show how = { accepts_event, view_shown };

	watchers_show(shown->api->events_watchers, &how, shown);
}
