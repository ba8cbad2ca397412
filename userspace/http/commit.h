/* SPDX-License-Identifier: MIT */
/*
 * Group commit: answers to writes wait here until one commit covers all that was written in this
 * turn of the loop, and until the disk has it: one fdatasync() then serves every client of the
 * turn, and nobody's write is answered that a power cut could take back.  What else has to be
 * durable before it is told waits with them.
 *
 * The disk is waited for in a thread (worker.h): beside somebody who writes much it takes a tenth
 * of a second, for which nobody's question is to wait.  What turns commit meanwhile, the next sync
 * covers together.
 */
#ifndef HTTP_COMMIT_H
#define HTTP_COMMIT_H

struct commit_queue;
struct request;
struct server;

/* The longest that a low-priority commit may be put off by other work in the loop. */
#define COMMIT_WAIT_MAX_MS 20

int commit_queue_new(struct server *server, struct commit_queue **ret);
/* Commits and answers what is there, and what that brings about; waits for the disk. */
void commit_queue_finish(struct commit_queue *q);
/* Calls that still wait are made with -ECANCELED. */
void commit_queue_free(struct commit_queue *q);

/* Asks for the commit at the end of this turn. */
void commit_schedule(struct commit_queue *q);

/* Asks for it within COMMIT_WAIT_MAX_MS: for what nobody waits for. */
void commit_schedule_soon(struct commit_queue *q);

/*
 * Takes the request's http and answer over and schedules the commit.  0; -ENOMEM,
 * and then everything is still the caller's.
 */
int commit_stage_reply(struct commit_queue *q, struct request *r);

/*
 * Calls back once the commit is made and on the disk: error is 0, or the negative errno with which
 * it failed.  For answers that are no reply of the usual shape.  The calls are made in their order,
 * behind the replies.  0, -ENOMEM.
 */
int commit_stage_call(struct commit_queue *q, void (*call)(int error, void *user_data),
		      void *user_data);

#endif
