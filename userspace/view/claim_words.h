/* SPDX-License-Identifier: MIT */
/* What is said of a claim beside its port: why it was refused, and what is on the port that it got.
 * All of it was found out before; nothing is asked here. */
#ifndef VIEW_CLAIM_WORDS_H
#define VIEW_CLAIM_WORDS_H

#include "explain/explain.h"
#include "tracker/claim.h"

struct json_object;

#define CLAIM_WORDS_SIZE 1024

/* Of a port that somebody has, `batch->refused` (everything is borrowed). */
struct claim_conflict {
	const struct claim_batch *batch;
	const char *claim; /* that has it, as the user calls it; NULL = none */
	const struct why_facts *why;
	uid_t user; /* whose names are meant: below sudo who called it */
};

/* The sentence; adds "why", and "holder" where it is a claim, to `extra`. */
void claim_words_conflict(const struct claim_conflict *c, struct json_object *extra,
			  char ret[static CLAIM_WORDS_SIZE]);

/* What a claim that was made has around it (everything is borrowed). */
struct claim_notes {
	const struct claim_batch *batch;
	const struct claim_order *order;
	const char *refusal; /* why nobody can bind its port now; NULL = whoever may can */
	/* what would have the kernel keep its port, where the claim is promised that and this
	 * daemon cannot; NULL = it is not, or can */
	const char *lift, *command;
	uid_t viewer; /* who connected */
	uid_t user;   /* as above */
};

/*
 * Adds "notices" to `o`, one sentence each: who has the claim's home, that its own server runs on
 * the port, that the port cannot be bound, what a move left behind, that a range was not obeyed.
 * Without any of that there is no such member.
 */
void claim_words_notices(const struct claim_notes *n, struct json_object *o);

#endif
