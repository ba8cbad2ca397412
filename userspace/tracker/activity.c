/* SPDX-License-Identifier: MIT */
#include "tracker/activity.h"

#include <errno.h>
#include <event2/event.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "tracker/listener.h"

/* Entries written between two prunings, and rows dropped by one: some 5 ms of a turn. */
#define PRUNE_EVERY	   100
#define PRUNE_ROWS	   200
#define MARK_ALIVE_EVERY_S 60 /* only together with an entry: an idle daemon writes nothing */

static int append(struct activity_writer *w, struct activity *entry)
{
	int r = registry_begin(w->registry);

	if (!r)
		r = registry_log(w->registry, entry, &entry->id);
	if (r || entry->timestamp - w->alive_marked < MARK_ALIVE_EVERY_S)
		return r;
	w->alive_marked = entry->timestamp;
	return registry_mark_alive(w->registry, entry->timestamp);
}

/*
 * In a turn of its own: a request that writes hundreds of entries is not to last longer by the
 * dropping of as many.
 */
static void on_prune(evutil_socket_t fd, short what, void *user_data)
{
	struct activity_writer *w = user_data;
	int r = registry_begin(w->registry);

	if (!r)
		r = registry_prune_activity(w->registry, time(NULL), PRUNE_ROWS);
	if (r < 0)
		log_warning("old log entries were not pruned: %s",
			    registry_strerror(w->registry, r));
	else
		activity_commit_due(w, false);
}

static void prune_now_and_then(struct activity_writer *w)
{
	static const struct timeval next_turn;

	if (++w->entries_since_prune < PRUNE_EVERY)
		return;
	w->entries_since_prune = 0;
	event_add(w->prune, &next_turn);
}

int activity_init(struct activity_writer *w, struct event_base *loop, struct registry *registry)
{
	*w = (struct activity_writer){ .registry = registry };
	w->prune = evtimer_new(loop, on_prune, w);
	return w->prune ? 0 : -ENOMEM;
}

void activity_deinit(struct activity_writer *w)
{
	if (w->prune)
		event_free(w->prune);
}

int activity_write(struct activity_writer *w, const struct activity *entry)
{
	struct activity written = *entry;
	char comm[4 * PROCESS_COMM_SIZE];
	int r;

	written.comm = text_to_utf8(entry->comm ? entry->comm : "", comm, sizeof(comm));
	r = append(w, &written);
	if (r)
		return r;
	prune_now_and_then(w);
	activity_commit_due(w, true);
	if (w->listener)
		w->listener->entry_written(&written, w->listener->user_data);
	return 0;
}

void activity_write_or_log(struct activity_writer *w, const struct activity *entry)
{
	int r = activity_write(w, entry);

	if (r)
		log_error("%s %s was not written down: %s", activity_action_name(entry->action),
			  entry->service, registry_strerror(w->registry, r));
}

void activity_note(struct activity_writer *w, enum activity_action action, const char *details,
		   int64_t now)
{
	activity_write_or_log(w, &(struct activity){ .action = action,
						     .service = "",
						     .details = details,
						     .timestamp = now,
						     .pid = getpid(),
						     .uid = geteuid(),
						     .comm = "portdaddyd" });
}

void activity_commit_due(const struct activity_writer *w, bool somebody_waits)
{
	if (w->listener)
		w->listener->commit_due(somebody_waits, w->listener->user_data);
}

int activity_prune_all(struct registry *registry, int64_t now)
{
	int pruned, r;

	/* in parts: a transaction of the whole activity would fill the write-ahead log */
	do {
		r = registry_begin(registry);
		if (r)
			return r;
		pruned = registry_prune_activity(registry, now, PRUNE_ROWS);
		r = registry_commit(registry);
	} while (!r && pruned == PRUNE_ROWS);
	return pruned < 0 ? pruned : r;
}
