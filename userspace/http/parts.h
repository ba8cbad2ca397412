/* SPDX-License-Identifier: MIT */
/*
 * A request whose work may be long is done in parts, one in a turn of the loop: what a part wrote
 * is committed, and on the disk, before the next one begins, and whoever else asks has an answer in
 * between.  The client is answered behind the last.
 *
 * Parts stand alone: one that fails, or a client that leaves, does not undo those before it.
 */
#ifndef HTTP_PARTS_H
#define HTTP_PARTS_H

#include <stdbool.h>
#include <stdint.h>

struct request;

/* What a part may take of its turn. */
#define PARTS_SLICE_US 5000

struct parts_calls {
	/* Works for a slice, and says whether there is more.  0, an outcome or a negative errno. */
	int (*part)(struct request *r, bool *ret_more);
	/* Completes the answer; `error` is 0, or what a part failed with.  Returns as a handler. */
	int (*end)(struct request *r, int error);
};

/*
 * Does the first part, and the rest behind it where there is more; then the request and the struct
 * of its parameters live on.  For a handler to return.
 */
int parts_run(struct request *r, const struct parts_calls *calls);

/* Is a part that began then (clock_us(CLOCK_MONOTONIC)) to end? */
bool parts_is_over(uint64_t began_us);

#endif
