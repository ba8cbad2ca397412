/* SPDX-License-Identifier: MIT */
/*
 * Ends services of a project: who is needed by nobody first, and what it needs when it has ended.
 * Each is asked with its own signal, has its own time, and is done when no member of its runs
 * lives, who looked after them has ended, and its port can be bound.
 */
#ifndef CLI_SUPERVISE_PROJECT_END_H
#define CLI_SUPERVISE_PROJECT_END_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/process.h"

struct config;

struct project_end_service {
	bool wanted;  /* filled in by the caller */
	uint32_t run; /* by the caller: it alone; 0 = all that there are of the service */
	bool ran;     /* a run of it was found, and ended */
	/* where one was begun that was left alone, being not of the directory; "" = none was */
	char elsewhere[PROCESS_PATH_SIZE];
	uint16_t port;	/* of its claim; 0 = it has none */
	size_t n_ended; /* processes */
	size_t n_left;
	bool free; /* the port */
};

struct project_end {
	const struct config *config;
	const char *directory; /* only runs that were begun there; NULL = wherever they were */
	struct project_end_service *services; /* one for each of the file's */
	int64_t grace_ms;		      /* for all of them; -1 = as the file says */
	bool json;
	/* Called every few milliseconds while somebody is waited for; true = kill them now. */
	bool (*turn)(void *user_data);
	/* A sentence about a process that does not end. */
	void (*say)(const char *words, void *user_data);
	void *user_data;
};

/* 0 when all is done; 1 when something is left; else the exit code of what was said. */
int project_end(struct project_end *e);

#endif
