/* SPDX-License-Identifier: MIT */
/*
 * Refused calls that wait to be explained.  Users take turns, and among a user's own refusals those
 * of a process, or a port, that has few waiting come first: the wait of one refusal does not grow
 * with the flood of somebody else.
 *
 * What waits is charged to its user (QUOTA_REFUSALS_WAITING).  When there is no room, whoever has
 * most loses the one that would have come last.
 *
 * Pure: knows no clock, no loop and nothing of what waits but whose it is and its size.
 */
#ifndef TRACKER_REFUSAL_QUEUE_H
#define TRACKER_REFUSAL_QUEUE_H

#include <stddef.h>
#include <stdint.h>

#include "base/process.h"

struct quota;
struct refusal_queue;

struct refusal_key {
	uid_t uid;
	struct process_id caller;
	uint16_t port;
};

/* Gets back what will not be explained any more, in order to free it. */
typedef void (*refusal_drop)(void *refusal, void *user_data);

/* quota: borrowed, outlives the queue.  0, -ENOMEM. */
int refusal_queue_new(struct quota *quota, refusal_drop drop, void *user_data,
		      struct refusal_queue **ret);
/* Drops what still waits.  NULL is allowed. */
void refusal_queue_free(struct refusal_queue *q);

/* Consumes the refusal, of so many bytes: it waits now, or was dropped.  0, -ENOMEM. */
int refusal_queue_put(struct refusal_queue *q, const struct refusal_key *key, size_t bytes,
		      void *refusal);

/* The one whose turn it is; the caller's.  NULL when none waits. */
void *refusal_queue_take(struct refusal_queue *q);

/*
 * Somebody asks for it: the newest of this user (PROCESS_UID_UNKNOWN = of any), process (pid 0 =
 * any) and port (0 = any).  The caller's; NULL when none waits.
 */
void *refusal_queue_take_newest(struct refusal_queue *q, uid_t uid, pid_t pid, uint16_t port);

size_t refusal_queue_count(const struct refusal_queue *q);
/* How many of those that refusal_queue_take_newest() would find. */
size_t refusal_queue_count_of(const struct refusal_queue *q, uid_t uid, pid_t pid, uint16_t port);

#endif
