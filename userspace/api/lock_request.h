/* SPDX-License-Identifier: MIT */
/*
 * What requests about locks share: whose lock is meant, who asks for it (never what the body says,
 * but the process that connected, "owner": "caller", or the one that started it, "parent").
 */
#ifndef API_LOCK_REQUEST_H
#define API_LOCK_REQUEST_H

#include "coordination/lock_asker.h"
#include "coordination/lock_words.h"
#include "http/request.h"

/* The name of a lock. */
#define PARAM_LOCK_NAME(type, member, ...)                                         \
	PARAM_TEXT("name", type, member, .noun = "lock", .check = lock_name_check, \
		   .cannot = "used", .advice = "write one like db-migrations", ##__VA_ARGS__)
#define LOCK_NAME_IS_MISSING "; write one like \"db-migrations\""
/* The members of a struct lock_asker that a body may fill. */
#define PARAM_LOCK_ASKER(type, member)                                                         \
	PARAM_ROW("holder", lock_holder_read, type, member.holder, const char *),              \
		PARAM_ROW("onBehalf", lock_holder_read, type, member.on_behalf, const char *), \
		PARAM_ROW("owner", lock_owner_read, type, member.of_parent, bool),             \
		PARAM_PATH("cwd", type, member.cwd)
param_read lock_owner_read, lock_holder_read;

/*
 * Whose name is meant: the caller's own, unless the request says the machine's or another user's.
 * `user` is NULL where none was named.  0, OUTCOME_BAD_REQUEST.
 */
int lock_request_owner(struct request *r, bool machine, const char *user, uid_t *ret);

/* lock_asker_find() for whoever connected.  0, OUTCOME_BAD_REQUEST, negative errno. */
int lock_request_asker(struct request *r, struct lock_asker *a);

/* OUTCOME_NO: the sentence, which says that there is nothing, and where there is something, or what
 * may have been meant. */
int lock_request_fail(struct request *r, struct lock_key key, const struct lock_namesakes *others,
		      const char *sentence);

#endif
