/* SPDX-License-Identifier: MIT */
#include "daemon/journal.h"

#include <string.h>
#include <unistd.h>

#include "api/api.h"
#include "base/log.h"

#define PRUNE_EVERY	   1000 /* entries written between two prunings */
#define PRUNE_ROWS	   2000 /* dropped at once, so that no turn of the loop takes long */
#define MARK_ALIVE_EVERY_S 60	/* only together with an entry: an idle daemon writes nothing */

void journal_count(struct journal *j, int64_t now)
{
	int r;

	if (++j->entries_since_prune < PRUNE_EVERY)
		return;
	j->entries_since_prune = 0;
	r = registry_begin(j->registry);
	if (!r)
		r = registry_prune_activity(j->registry, now, PRUNE_ROWS);
	if (r < 0)
		log_warning("old log entries were not pruned: %s",
			    registry_strerror(j->registry, r));
	else
		api_schedule_commit(j->api);
}

int journal_prune_all(struct journal *j, int64_t now)
{
	int pruned, r;

	/* in bites: a transaction of the whole trail would fill the write-ahead log */
	do {
		r = registry_begin(j->registry);
		if (r)
			return r;
		pruned = registry_prune_activity(j->registry, now, PRUNE_ROWS);
		r = registry_commit(j->registry);
	} while (!r && pruned == PRUNE_ROWS);
	return pruned < 0 ? pruned : r;
}

static int append(struct journal *j, struct activity *entry)
{
	int r = registry_begin(j->registry);

	if (!r)
		r = registry_log(j->registry, entry, &entry->id);
	if (r || entry->timestamp - j->alive_marked < MARK_ALIVE_EVERY_S)
		return r;
	j->alive_marked = entry->timestamp;
	return registry_mark_alive(j->registry, entry->timestamp);
}

void journal_write(struct journal *j, struct activity *entry)
{
	int r = append(j, entry);

	if (r) {
		log_error("%s %s was not written down: %s", activity_action_name(entry->action),
			  entry->service, registry_strerror(j->registry, r));
		return;
	}
	api_schedule_commit(j->api);
	api_publish_activity(j->api, entry);
}

void journal_note(struct journal *j, enum activity_action action, const char *details, int64_t now)
{
	struct activity entry = {
		.action = action,
		.service = "",
		.details = details,
		.timestamp = now,
		.pid = getpid(),
		.uid = geteuid(),
		.comm = "portdaddyd",
	};

	journal_write(j, &entry);
}
