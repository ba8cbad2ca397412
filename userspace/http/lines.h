/* SPDX-License-Identifier: MIT */
/*
 * An answer that goes on: one JSON object a line, written as the client reads, until one of the two
 * ends it.  Longer work that feeds it goes on in steps, between which the loop turns, and no faster
 * than the client reads.
 */
#ifndef HTTP_LINES_H
#define HTTP_LINES_H

struct json_object;
struct lines;
struct request;

#define LINES_BACKLOG_BYTES (256 * 1024) /* whoever reads slower than that is disconnected */
#define LINES_STEP_BYTES    (64 * 1024)	 /* that wait unread before the next step waits, too */

/* Each may be NULL. */
struct lines_calls {
	/* The connection has ended, by its client, by us or at the server's end; so have the lines.
	 */
	void (*ended)(void *user_data);
	/* What lines_continue() asked for. */
	void (*step)(void *user_data);
	/* A second has passed, again and again. */
	void (*tick)(void *user_data);
};

/*
 * Begins the answer to the request, which is kept.  The lines last until `ended` was called or
 * until lines_finish().  0; -ENOMEM, and then the request is as before.
 */
int lines_begin(struct request *r, const struct lines_calls *calls, void *user_data,
		struct lines **ret);

/*
 * Puts a line (borrowed).  Where LINES_BACKLOG_BYTES or the bytes of the user wait unread already,
 * or memory is short, the line is lost: then the client is disconnected in the loop's next turn,
 * and knows by that; later lines are lost as well.
 */
void lines_put(struct lines *l, struct json_object *line);

/* Has `step` called once: in the loop's next turn, or when the client has read enough. */
void lines_continue(struct lines *l);

/* Ends the answer behind its last line.  `ended` is not called. */
void lines_finish(struct lines *l);

/* Ends the connection, in the loop's next turn. */
void lines_drop(struct lines *l);

#endif
