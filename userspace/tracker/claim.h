/* SPDX-License-Identifier: MIT */
/*
 * Makes, renews and ends claims for whoever asks, in the batch that is open or opened here: the
 * rows, the entries, and the ports judged anew.
 */
#ifndef TRACKER_CLAIM_H
#define TRACKER_CLAIM_H

#include "base/health_path.h"
#include "base/process.h"
#include "registry/registry.h"
#include "tracker/claim_around.h"
#include "tracker/release.h"

struct tracker;

/* One service of a request, and what became of it. */
struct claim_order {
	const char *id;
	char health_path[HEALTH_PATH_SIZE]; /* "" = as it is */

	struct claim_result result;
	int status; /* enum service_status, as judged now */
	struct claim_around around;
};

/* What one request claims: all of it or nothing. */
struct claim_batch {
	uint16_t port;		 /* exactly this one; 0 = assign */
	struct port_range range; /* first = 0: the default, or what the service already has */
	int64_t ttl_s;		 /* 0 = none */
	const char *cwd;	 /* NULL = where the process that asks works */
	/* a server that is on `port` and fits may stay: the claim was kept elsewhere until now */
	bool running;
	struct process peer; /* that process; all zero: not visible from here */
	pid_t pid;	     /* of it, for the entries */
	uid_t uid;
	int64_t now; /* Unix seconds */

	struct claim_order *orders; /* borrowed, n of them */
	size_t n;
	const struct claim_order *refused; /* the first that could not be, where it failed */
	struct port_holder holder;	   /* of `port`, where that refused it and is in no claim */
};

/*
 * The claims belong to the program that ran the one that asks.  0, an outcome as registry_claim()
 * has it, with `refused` and its result set, negative errno; no entry is written before all of them
 * stand.  What is around them is looked at then.
 */
int claim_make_all(struct tracker *t, struct claim_batch *batch);

/* As release_claim(), and the port is judged anew. */
int claim_release(struct tracker *t, const struct service *s, const char *why,
		  const struct release_actor *actor, int64_t now);

#endif
