/* SPDX-License-Identifier: MIT */
#include "tracker/activity.h"

#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "tracker/listener.h"

/* Entries written between two prunings, and rows dropped by one: some 10 ms of a turn. */
#define PRUNE_EVERY	   250
#define PRUNE_ROWS	   500
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

static void prune_now_and_then(struct activity_writer *w, int64_t now)
{
	int r;

	if (++w->entries_since_prune < PRUNE_EVERY)
		return;
	w->entries_since_prune = 0;
	r = registry_prune_activity(w->registry, now, PRUNE_ROWS);
	if (r < 0)
		log_warning("old log entries were not pruned: %s",
			    registry_strerror(w->registry, r));
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
	prune_now_and_then(w, written.timestamp);
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

	/* in parts: a transaction of the whole trail would fill the write-ahead log */
	do {
		r = registry_begin(registry);
		if (r)
			return r;
		pruned = registry_prune_activity(registry, now, PRUNE_ROWS);
		r = registry_commit(registry);
	} while (!r && pruned == PRUNE_ROWS);
	return pruned < 0 ? pruned : r;
}
