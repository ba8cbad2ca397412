/* SPDX-License-Identifier: MIT */
/*
 * The callbacks by which the tracker reports to the room that serves clients, which registers them
 * with tracker_set_listener(): the tracker itself knows nothing of that room.
 */
#ifndef TRACKER_LISTENER_H
#define TRACKER_LISTENER_H

#include <stdbool.h>
#include <stdint.h>

struct activity;
struct event;
struct refusal;
struct why_obstacle;

/* What is handed over is borrowed for the call. */
struct tracker_listener {
	/* The kernel sent this event; `service` owns the event's port, NULL without one. */
	void (*event)(const struct event *event, const char *service, int64_t at_unix,
		      void *user_data);
	/*
	 * A call was refused, and who was in the way is known as well as it will be (NULL: nobody
	 * was).  It follows the event itself, before long where that has to be searched for.
	 */
	void (*refused)(const struct event *event, const char *service,
			const struct why_obstacle *obstacle, int64_t at_unix, void *user_data);
	/* An entry was added to the activity; it is undone if the open batch fails. */
	void (*entry_written)(const struct activity *entry, void *user_data);
	/*
	 * Something was written into the open batch: commit it at the end of this turn of the loop,
	 * or, where nobody waits for it, before long with whatever else is written until then.
	 */
	void (*commit_due)(bool somebody_waits, void *user_data);
	/*
	 * Explains a refusal from its evidence, as the text that is stored for whoever asks later;
	 * *ret is the tracker's: free().  *ret_obstacle: who was in the way, where *ret_found.
	 * 0, negative errno.
	 */
	int (*explain)(const struct refusal *evidence, char **ret,
		       struct why_obstacle *ret_obstacle, bool *ret_found, void *user_data);
	void *user_data;
};

#endif
