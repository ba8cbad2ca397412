/* SPDX-License-Identifier: MIT */
/*
 * The graph of what services need.  A service may begin once all that it needs are ready; it is to
 * be ended before any of them is.  Pure: knows names and states, and starts nothing.
 */
#ifndef CLI_SUPERVISE_NEEDS_H
#define CLI_SUPERVISE_NEEDS_H

#include <stdbool.h>
#include <stddef.h>

struct config;

enum needs_state {
	NEEDS_LEFT_OUT = 0, /* nobody asked for it */
	NEEDS_WAITING,	    /* for those that it needs */
	NEEDS_BEGUN,	    /* and not ready yet */
	NEEDS_READY,
	NEEDS_OVER, /* it has ended, or can never begin */
};

struct needs_node {
	enum needs_state state;
	size_t *needs; /* numbers of other nodes, n of them */
	size_t n;
};

struct needs {
	struct needs_node *nodes; /* in the order of the file's services */
	size_t n;
};

/*
 * Reads it out of a file.  0; -EINVAL with one sentence in ret_error: a name that the file does not
 * have, or the path of a circle; -ENOMEM.
 */
int needs_new(const struct config *config, struct needs *ret, char *ret_error, size_t size);
void needs_deinit(struct needs *needs);

/* That one is wanted, and with it all that it needs, one below the other. */
void needs_want(struct needs *needs, size_t i);

/* One that waits, and whose needs are all ready; n = there is none. */
size_t needs_next(const struct needs *needs);

/* That one is over: those that need it, and have not begun, never will, and are over as well. */
void needs_give_up(struct needs *needs, size_t i);

/*
 * The steps of an end, from 0: those that nobody needs, then those that only they need, and so on,
 * over all nodes.  Returns the number of steps; the step of each node is in ret_steps (n).
 */
size_t needs_order_of_end(const struct needs *needs, size_t *ret_steps);

#endif
