/* SPDX-License-Identifier: MIT */
/* What pd lock, pd unlock and pd with-lock ask of the daemon. */
#ifndef CLI_COMMANDS_LOCKING_H
#define CLI_COMMANDS_LOCKING_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/command.h"

struct json_object;

struct locking {
	const struct command_line *line;
	const char *name;
	bool machine;	       /* the one of that name for everybody */
	const char *user;      /* whose it is; NULL = one's own */
	const char *holder;    /* --holder; NULL = not given */
	const char *on_behalf; /* the environment's session or service; NULL = none */
	const char *ttl;       /* NULL = none */
	int64_t ttl_s;	       /* 0 = none */
	bool waits;
	int64_t wait_s;	     /* 0 = for ever */
	const char *program; /* that holds it in truth, where it is not the owner; or NULL */
	bool own;	     /* the lock is this process's, not that of the shell that ran pd */
};

/*
 * Reads NAME and the options that the command has.  0, or, having
 * said what is wrong, pd's exit code.
 */
int locking_read(const struct command_line *line, struct locking *ret);

/*
 * Asks for the lock, waits as wished, and asks anew when the daemon ends meanwhile: a lock that was
 * granted and not heard of is given again.  0 and *ret; else the error has been rendered and the
 * exit code is returned.
 */
int locking_acquire(const struct locking *l, struct json_object **ret);

/*
 * Renews exactly the grant with that fence.  *ret_lost tells that it is over for good; another
 * failure may pass.  Renders nothing; *ret is the answer or the error, owned by the caller.
 */
bool locking_renew(const struct locking *l, int64_t fence, bool *ret_lost,
		   struct json_object **ret);

/*
 * Where to ask who holds it, in ret (size bytes).  0, -ENAMETOOLONG.
 */
int locking_path(const struct locking *l, char *ret, int size);

/* Unlocks; fence 0: whichever grant it is.  As locking_acquire(). */
int locking_release(const struct locking *l, bool force, int64_t fence, struct json_object **ret);

#endif
