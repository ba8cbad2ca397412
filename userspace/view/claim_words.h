/* SPDX-License-Identifier: MIT */
/* What is said of a claim beside its port: why it was refused, and what is on the port that it got.
 */
#ifndef VIEW_CLAIM_WORDS_H
#define VIEW_CLAIM_WORDS_H

#include <stdint.h>
#include <sys/types.h>

struct claim_batch;
struct claim_order;
struct explainer;
struct json_object;
struct protection;

#define CLAIM_WORDS_SIZE 1024

/* Who is told, and what is asked for it (borrowed). */
struct claim_reader {
	struct explainer *explainer;
	const struct protection *protection;
	uid_t viewer; /* who connected */
	uid_t user;   /* whose names are meant: below sudo who called it */
	int64_t now;  /* Unix seconds */
};

/* The sentence for a port that somebody has, `b->refused`; adds "why", and "holder" where it is a
 * claim, to `extra`.  0, negative errno. */
int claim_words_conflict(const struct claim_reader *c, const struct claim_batch *b,
			 struct json_object *extra, char ret[static CLAIM_WORDS_SIZE]);

/*
 * Adds "notices" to `o`, one sentence each: who has the claim's home, that its own server runs on
 * the port, that the port cannot be bound, what a move left behind, that a range was not obeyed.
 * Without any of that there is no such member.  0, negative errno.
 */
int claim_words_notices(const struct claim_reader *c, const struct claim_batch *b,
			const struct claim_order *order, struct json_object *o);

#endif
