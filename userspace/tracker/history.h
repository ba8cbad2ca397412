/* SPDX-License-Identifier: MIT */
/*
 * The only writer of the history, which `pd history` shows: who had a port, claimed or not, and how
 * it ended.  A holder is a socket that serves: TCP that listens, UDP that is bound to a port that
 * no outgoing traffic is given.
 *
 * What happens is kept in a place that was made beforehand, and written some hundred milliseconds
 * later, so that who listens and closes a thousand times a second costs a row here and there, and
 * one that lived for milliseconds has a row all the same.  How many of a user's are written,
 * QUOTA_HISTORY says; what is beyond it is counted.
 */
#ifndef TRACKER_HISTORY_H
#define TRACKER_HISTORY_H

#include <stdint.h>

#define HISTORY_DELAY_MS 500

struct activity_writer;
struct event;
struct event_base;
struct history;
struct inventory;

/* Everything is borrowed.  0, -ENOMEM. */
int history_new(struct event_base *loop, struct inventory *inventory,
		struct activity_writer *activity, struct history **ret);
void history_free(struct history *h);

/*
 * Once the table was read for the first time: what an earlier daemon left without an end, and has
 * none any more, ended unseen, at the latest when that daemon was last alive (0 = not known).
 */
void history_start(struct history *h, int64_t last_alive, int64_t now);

/* The CLOSE of a socket, before the table forgets it. */
void history_note_close(struct history *h, uint64_t cookie, int64_t now);
/* Every event, behind its change of the table; `service` owns its port, NULL without one. */
void history_note_event(struct history *h, const struct event *event, const char *service,
			int64_t now);
/* The table was read, or looked at: rows of that port may have come and gone without an event. */
void history_check_port(struct history *h, uint16_t port);

/* Writes what is known by now, for whoever asks, and at the end. */
void history_write(struct history *h);

/* Holders that were too many to be written, since the start. */
uint64_t history_left_out(const struct history *h);

#endif
