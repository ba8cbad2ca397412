/* SPDX-License-Identifier: MIT */
/*
 * One thing that pd wait waits for, and how far it is.  When to look again, the daemon's events
 * tell; of what the kernel tells nothing, such as the end of TIME_WAIT, each look says when.
 */
#ifndef CLI_SUPERVISE_WAITING_H
#define CLI_SUPERVISE_WAITING_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/supervise/target.h"

struct json_object;

enum waiting_goal {
	WAITING_LISTENS = 0, /* a server accepts at 127.0.0.1; of a claim, one that fits it */
	WAITING_HEALTHY,     /* and it answers as pd health asks */
	WAITING_FREE,	     /* a server's bind would succeed */
};

struct waiting {
	struct target target;
	enum waiting_goal goal;
	uint16_t port; /* that it is about now; 0 = its service has no claim */
	bool reached;
	char by[64];	 /* who listens: "node (pid 4711)"; "" = not known */
	char still[256]; /* not reached: "listens on ::1 only" */
	/* Not reached: look again then, event or not (CLOCK_MONOTONIC); 0 = an event will tell. */
	int64_t again_ms;
	int64_t time_wait_ms;  /* when the last TIME_WAIT ends, likewise; 0 = there is none */
	unsigned health_looks; /* that found a server */
};

/* 0; or an outcome, with the error in *ret_error (the caller's): whom to wait for is not known. */
int waiting_look(struct waiting *w, struct json_object **ret_error);

/* "port 3000 listens on ::1 only", with what is left by now.  Returns ret. */
#define WAITING_WORDS_SIZE 512
const char *waiting_words(const struct waiting *w, char ret[static WAITING_WORDS_SIZE]);

/* "listening", "healthy", "free"; static storage. */
const char *waiting_state(enum waiting_goal goal);

#endif
