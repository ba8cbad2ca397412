/* SPDX-License-Identifier: MIT */
/*
 * Runs: trees of processes that pd started.  Who belongs to one is the kernel side's knowledge
 * (base/kernel_source.h): it hands the membership on at each fork, and is asked when somebody wants
 * to know.  Nothing is told of members that come and go, so a run costs the daemon nothing while it
 * runs.  What is kept here, and in the registry, is which runs there are, whose, and their state.
 *
 * The pd of a run is not one of its members, but of the run around it: it looks after them.  When
 * it has ended while they live, and has not said that they are to stay, the run is unattended.
 *
 * After a restart the members are found by their environment (base/run.h) and by their parents.
 * Without eBPF they are found so each time, and a program that clears its environment and loses its
 * parent has left the run.
 *
 * Nothing here acts on a process: pd does, with the rights of whoever calls it.
 */
#ifndef RUNS_RUNS_H
#define RUNS_RUNS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/quota.h"
#include "base/run.h"
#include "coordination/coordination.h"
#include "registry/runs.h"

struct event;
struct runs;

/* What the tracker does for them. */
struct runs_tracker {
	/* The claim of that port is to be judged anew, for a run of it has begun, ended or changed.
	 */
	void (*claim_changed)(uint16_t port, void *user_data);
	/* Reads the events that the kernel has sent by now; each comes to runs_note_event(). */
	void (*catch_up)(void *user_data);
	void *user_data;
};

/* Reads those that are stored, and finds their members.  Both are copied.  0, negative errno. */
int runs_new(const struct coordination *c, const struct runs_tracker *tracker, struct runs **ret);
/* Once claims can be judged: watches who looks after them, and says whom it could not place.
 * 0, negative errno. */
int runs_start(struct runs *rs);
/* NULL is allowed. */
void runs_free(struct runs *rs);

enum runs_outcome {
	RUNS_BEGUN = 0,
	RUNS_PROCESS_ENDED, /* the pd whose run it was to be */
	RUNS_LIMIT,	    /* of base/quota.h; *ret_excess says which */
};

/*
 * Begins a run.  wanted: service, port, uid and pd are as they are to be; the number is given here,
 * or, of a run that is there already and was not stored, it is that of its members: they are looked
 * for.  The pd of a new one forks nothing until it has the answer.  An enum runs_outcome, with the
 * run (borrowed) in *ret; negative errno.
 */
int runs_begin(struct runs *rs, const struct run *wanted, const struct run **ret,
	       enum quota_outcome *ret_excess);

/* The pd of a run says what becomes of it, or, after a restart, that it is still there. */
int runs_set_state(struct runs *rs, const struct run *run, enum run_state state);

/*
 * A process of the user's is of that run, as its environment says, which this process may not be
 * able to read.  0, also where it has ended or is another's; -E2BIG.
 */
int runs_join(struct runs *rs, const struct run *run, pid_t pid, uid_t uid);

/* The user of the run has named all that there are, by runs_join(): where none lives, it is over.
 */
void runs_are_told(struct runs *rs, const struct run *run);

/* A kernel event: the first listener on its port makes a run ready, its last process ends it. */
void runs_note_event(struct runs *rs, const struct event *event);

/*
 * The members of all runs, in order of run and pid, without any pd of its own run; *ret is the
 * caller's: free().  A run that turns out to be over is taken from the list.  0, negative errno.
 */
int runs_members(struct runs *rs, struct run_member **ret, size_t *ret_n);

/* False where the kernel does not tell who belongs to a run: what is said of the members is what
 * /proc shows. */
bool runs_are_followed(const struct runs *rs);

#endif
