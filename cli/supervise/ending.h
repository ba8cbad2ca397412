/* SPDX-License-Identifier: MIT */
/*
 * Ends processes, and is done when none of them is left.  Each is opened as a pidfd, looked at once
 * more, and signalled through it, so that no other process that got its pid is ever hit.  Who is to
 * be ended is asked again and again: what they start meanwhile is ended as well.
 */
#ifndef CLI_SUPERVISE_ENDING_H
#define CLI_SUPERVISE_ENDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/process.h"

/* How long a process that was killed may take: the kernel takes it apart, seldom for longer. */
#define ENDING_KILLED_MS 5000

enum ending_fate {
	ENDING_WAITED_FOR = 0, /* was signalled */
	ENDING_ENDED,
	ENDING_NOT_ALLOWED, /* another user's */
	ENDING_LEFT,	    /* lives, although it was killed */
};

struct ending_process {
	struct process_id id;
	char comm[PROCESS_COMM_SIZE];
	size_t owner;	/* as the caller counts */
	int generation; /* 0 = the root of the tree, whose end is the end of most others */
	enum ending_fate fate;
	int pidfd;
	int signal;	  /* that it got last */
	int asked_with;	  /* the signal that asks it to end */
	int64_t grace_ms; /* from that to SIGKILL */
	int64_t killed_ms;
};

struct ending {
	/* Of those that are added from here on: look() may change them for some. */
	size_t owner;
	int ask_with;	   /* 0 = SIGTERM */
	int64_t grace_ms;  /* from that signal to SIGKILL, counted from the beginning of the end */
	bool kill_at_once; /* SIGKILL without a grace; look() may set it */
	/* Calls ending_add() for each that is to be ended now; 0, negative errno. */
	int (*look)(struct ending *e, void *user_data);
	/* A process is about to get this signal, may not be signalled (0), or does not end
	 * (-1). */
	void (*told)(const struct ending_process *p, int signal, void *user_data);
	void *user_data;

	struct ending_process *list; /* all that were ever named */
	size_t n;
	size_t n_left; /* filled in: that live */
	int64_t began_ms, last_grace_ms;
};

/* Within look(); one that was named before is not named twice. */
int ending_add(struct ending *e, const struct process_id *id, const char *comm, int generation);

/*
 * Ends them, the root first, and waits.  0 when none is left; 1 when some are; negative errno.
 */
int ending_run(struct ending *e);
void ending_deinit(struct ending *e);

#endif
