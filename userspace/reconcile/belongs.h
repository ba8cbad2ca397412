/* SPDX-License-Identifier: MIT */
/*
 * Who belongs to whom: which claim a process serves, which claim, lock or session whoever asks
 * means without naming it.  Pure: facts in, an answer out.
 */
#ifndef RECONCILE_BELONGS_H
#define RECONCILE_BELONGS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/process.h"
#include "registry/registry.h"

/*
 * How many generations above a process another one is: 0 for itself, 1 for its parent; -1 where it
 * is none of the ancestors that are known (an unknown one, of pid 0, never is).
 */
int belongs_generation(const struct process *process, const struct process_id *ancestor);

/*
 * Does a process fit a claim?  It runs as the claim's user and (descends from the claimer, or
 * shares its session, or works in its directory or below).  Facts that are unknown never make it
 * fit; where *none* of the three can be compared (unknown of the process, or of the claim: made
 * before this boot, without a directory), the user alone decides.
 */
bool belongs_to_claim(const struct service *claim, const struct process *process);

/* By what somebody has to do with a claim or a session: the smaller, the nearer. */
enum belongs_nearness {
	BELONGS_BY_ANCESTOR = 1, /* it stands on the asker's parent; the further ancestors follow */
	BELONGS_BY_SID = PROCESS_ANCESTORS_MAX + 1,
	BELONGS_BY_TERMINAL,
	BELONGS_BY_DIRECTORY,
	BELONGS_BY_DIRECTORY_LEFT, /* … where nobody works any more */
	BELONGS_NOT
};

/* Whoever asks. */
struct belongs_asker {
	const struct process *process; /* all of it zero: not visible */
	const char *tty;	       /* "" = none, or not to be compared */
	const char *cwd;	       /* "" = unknown */
};

/* What a claim or a session stands on; what is from an earlier boot is unknown. */
struct belongs_basis {
	struct process_id process; /* pid 0 = unknown */
	pid_t sid;		   /* 0 = unknown */
	const char *tty;	   /* "" = none */
	const char *cwd;	   /* "" = unknown */
	bool left;		   /* its process is gone: only the directory says whose it was */
};

/*
 * The process that asks is itself no basis: it is pd, or what somebody wrote instead of it, and
 * what pd begins stands on whoever ran it.
 */
enum belongs_nearness belongs_nearness(const struct belongs_asker *asker,
				       const struct belongs_basis *basis);

/* The nearest of what was seen so far; { .near = BELONGS_NOT } to begin with. */
struct belongs_nearest {
	enum belongs_nearness near;
	size_t n; /* how many are so near: of more than one, none is meant */
};

/*
 * Takes one more into account.  True when none before it was nearer: then it is the n-th of those
 * that are so near, and with n = 1 the first.
 */
bool belongs_is_nearest(struct belongs_nearest *nearest, enum belongs_nearness near);

#endif
