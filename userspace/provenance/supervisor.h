/* SPDX-License-Identifier: MIT */
/*
 * Who starts a process again when it ends.  Killing such a process gains a second; the one behind
 * it has to be asked, in its own words and at its own place, for there may be several of them.
 *
 * They are recognized by names and arguments in /proc, which any program can give itself.  So that
 * is a hint and never decides a verdict, and a command that is made of it finds the process by its
 * pid where it is run: with a supervisor that does not know the pid it does nothing.
 */
#ifndef PROVENANCE_SUPERVISOR_H
#define PROVENANCE_SUPERVISOR_H

#include <stdbool.h>

#include "base/process.h"
#include "provenance/ancestry.h"

struct lineage;

#define WHY_SUPERVISOR_TEXT	 1024 /* the place of the supervisor stands in it three times */
#define WHY_SUPERVISOR_NAME_SIZE 48
#define WHY_SUPERVISOR_CLIMB	 32 /* npm and shells may stand between it and the process */

struct supervisor {
	const char *kind; /* "pm2", "a shell loop"; "observed": only events told of it; static */
	char name[WHY_SUPERVISOR_NAME_SIZE]; /* for people: the same, or "bash watchdog.sh" */
	struct process_id id;
	uid_t uid;
	bool listens;	 /* it holds the socket itself, for what it runs */
	bool ends_it;	 /* ended itself, it does not start anything again */
	bool hands_on;	 /* it takes SIGINT for its user's, and ends what it runs by it */
	pid_t stops;	 /* the process that `command` ends; 0 = it only shows what there is */
	const char *how; /* what the command does, behind "…, which starts it again"; static */
	char command[WHY_SUPERVISOR_TEXT]; /* "" = none can be named */
};

/* Where a supervisor is looked for. */
struct supervisor_watched {
	uint32_t netns;
	uint16_t port;
	const struct lineage *lineage; /* NULL = no events are known */
	/* who asks: events tell nothing of somebody who asks what has become of what he started */
	const struct ancestry *asker;
};

/*
 * True when the process is started again by somebody above it, or is a supervisor that listens for
 * what it runs.  Between the two stand only programs that end with their child.
 */
bool supervisor_find(const struct process *process, const struct supervisor_watched *watched,
		     struct supervisor *ret);

#endif
