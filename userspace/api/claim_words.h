/* SPDX-License-Identifier: MIT */
/* What is said of a claim beside its port: why it was refused, and what is on the port that it got.
 */
#ifndef API_CLAIM_WORDS_H
#define API_CLAIM_WORDS_H

#include "http/json.h"
#include "http/request.h"
#include "tracker/claim.h"

/* Answers with the refusal of `b->refused` and what stands behind it; an errno is returned as is.
 */
int claim_words_refuse(struct request *r, int outcome, const struct claim_batch *b);

/*
 * Adds "notices" to `o`, one sentence each: who has the claim's home, that its own server runs on
 * the port, that the port cannot be bound, what a move left behind, that a range was not obeyed.
 * Without any of that there is no such member.  0, negative errno.
 */
int claim_words_notices(struct request *r, const struct claim_batch *b,
			const struct claim_order *order, struct json_object *o);

#endif
