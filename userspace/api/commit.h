/* SPDX-License-Identifier: MIT */
/*
 * Group commit: answers to writes wait here until one commit covers all that was written in this
 * turn of the loop.  One fsync then serves every client of the turn, and nobody is told of a claim
 * that a power cut could take back.  Entries of the audit trail wait with them: a watcher never
 * sees what was not kept.
 */
#ifndef API_COMMIT_H
#define API_COMMIT_H

#include "api/request.h"

struct activity;
struct commit_queue;

/* The longest that a low-priority commit may be put off by other work in the loop. */
#define COMMIT_WAIT_MAX_MS 20

int commit_queue_new(struct api *api, struct commit_queue **ret);
/* Commits and answers what is still there. */
void commit_queue_free(struct commit_queue *q);

/* Asks for the commit at the end of this turn. */
void commit_schedule(struct commit_queue *q);

/* Asks for it within COMMIT_WAIT_MAX_MS: for what nobody waits for. */
void commit_schedule_soon(struct commit_queue *q);

/*
 * Takes the request's http, answer and touched ports over and schedules the commit.  0; -ENOMEM,
 * and then everything is still the caller's.
 */
int commit_stage_reply(struct commit_queue *q, struct request *r);

/*
 * Calls back once the commit is made: error is 0, or the negative errno with which it failed.  For
 * answers that are no reply of the usual shape.  0, -ENOMEM.
 */
int commit_stage_call(struct commit_queue *q, void (*call)(int error, void *user_data),
		      void *user_data);

/* Keeps a copy of the entry until it is durable, then streams it.  0, -ENOMEM. */
int commit_stage_activity(struct commit_queue *q, const struct activity *entry);

#endif
