/* SPDX-License-Identifier: MIT */
/* What a lock is called, and whose the name is: one's own, another user's, or the machine's. */
#ifndef API_LOCK_NAMES_H
#define API_LOCK_NAMES_H

#include <stdbool.h>

#include "base/identity.h"
#include "coordination/lock_words.h"
#include "http/param.h"

struct request;

/* The name of a lock. */
#define PARAM_LOCK_NAME(type, member, ...)                                         \
	PARAM_TEXT("name", type, member, .noun = "lock", .check = lock_name_check, \
		   .cannot = "used", .advice = "write one like db-migrations", ##__VA_ARGS__)
#define LOCK_NAME_IS_MISSING "; write one like \"db-migrations\""

/*
 * Whose name is meant: the caller's own, unless the request says the machine's or another user's.
 * `user` is NULL where none was named.  0, OUTCOME_BAD_REQUEST.
 */
int lock_name_owner(struct request *r, bool machine, const char *user, uid_t *ret);

/* 0, negative errno. */
int lock_namesakes_find(struct request *r, struct lock_key key, struct lock_namesakes *ret);

/* OUTCOME_NO: the sentence, which says that there is nothing, and where there is something. */
int lock_namesakes_fail(struct request *r, const struct lock_namesakes *others,
			const char *sentence);

#endif
