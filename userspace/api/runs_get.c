/* SPDX-License-Identifier: MIT */
/*
 * GET /v1/runs: runs, and in a list of its own their members, each with the ports that it serves:
 * pd ps, pd run, pd stop.  What else there is to know of a process, the caller reads in /proc by
 * its own rights.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/match.h"
#include "api/routes.h"
#include "api/run_number.h"
#include "api/state.h"
#include "base/clock.h"
#include "base/user.h"
#include "http/parts.h"
#include "http/written.h"
#include "inventory/inventory.h"
#include "runs/runs.h"
#include "view/run.h"

#define DEPTH_MAX 64 /* of runs inside each other */
#define PORTS_MAX 64 /* of a member that are looked through */

struct question {
	const char *pattern; /* of services; NULL = all */
	uint32_t run;	     /* and those that were begun inside it; 0 = all */

	char id[IDENTITY_MAX + 1]; /* that a pattern without wildcards means */
};

ROUTE(runs_get, GET, "/v1/runs", struct question,
      PARAM_PATTERN("pattern", struct question, pattern), PARAM_RUN("run", struct question, run));

/* Whoever ends a run ends what it has started, also by another pd. */
static bool is_within(const struct request *r, const struct run *run, uint32_t number)
{
	for (int depth = 0; run && depth < DEPTH_MAX; depth++) {
		if (run->number == number)
			return true;
		run = run->outer ? registry_run(r->api->config.registry, run->outer) : NULL;
	}
	return false;
}

static bool is_asked(const struct request *r, const struct run *run)
{
	const struct question *q = r->params;

	if (q->run && !is_within(r, run, q->run))
		return false;
	return !q->pattern || identity_is_meant(q->pattern, run->service);
}

static int write_run(struct request *r, const struct run *run)
{
	char service[IDENTITY_MAX + 1];

	match_shown_id(r, run->service, run->uid, service);
	return written_list_add(r, view_run(run, r->api->protection, service));
}

/* --- all of them --- */

/* What the parts of an answer share. */
struct listing {
	size_t n, next; /* members; the first that is not written yet */
	struct run_member members[];
};

/* The run of a member; members of one run follow each other, so it is looked up once. */
static const struct run *run_of(const struct request *r, const struct run *last, uint32_t number)
{
	return last && last->number == number ? last
					      : registry_run(r->api->config.registry, number);
}

static bool serves_run(const struct request *r, const struct process_id *id, const struct run *run)
{
	uint16_t ports[PORTS_MAX];
	size_t n = inventory_served_ports(r->api->config.inventory, id, 0, ports, PORTS_MAX);

	for (size_t i = 0; i < n && i < PORTS_MAX; i++)
		if (run_is_served_by(run, ports[i]))
			return true;
	return false;
}

/* The event of its first listen may have been lost: who is asked about is looked at. */
static void note_ready(struct request *r, const struct listing *l)
{
	const struct run *run = NULL;

	for (size_t i = 0; i < l->n; i++) {
		run = run_of(r, run, l->members[i].run);
		if (run && run->state == RUN_STARTING && serves_run(r, &l->members[i].id, run))
			runs_set_state(r->api->runs, run, RUN_READY);
	}
}

static int find_members(struct request *r, struct listing **ret)
{
	_cleanup_free_ struct run_member *members = NULL;
	size_t n = 0;
	int fault = runs_members(r->api->runs, &members, &n);
	struct listing *l;

	if (fault)
		return fault;
	l = calloc(1, sizeof(*l) + n * sizeof(*members));
	if (!l)
		return -ENOMEM;
	l->n = n;
	memcpy(l->members, members, n * sizeof(*members));
	*ret = r->work = l;
	return 0;
}

static int begin(struct request *r, struct listing **ret)
{
	struct question *q = r->params;
	int fault = find_members(r, ret);

	if (!fault && q->pattern)
		fault = match_meant(r, &q->pattern, q->id);
	if (fault)
		return fault;
	note_ready(r, *ret);
	json_add_bool(r->answer, "followed", runs_are_followed(r->api->runs));
	fault = written_list_begin(r, "runs");
	for (const struct run *run = registry_runs(r->api->config.registry); !fault && run;
	     run = run->next)
		if (is_asked(r, run))
			fault = write_run(r, run);
	fault = fault ?: written_list_end(r);
	return fault ? fault : written_list_begin(r, "members");
}

/* Thousands of members are written in slices of time; those of a run that has ended meanwhile are
 * left out. */
static int part(struct request *r, bool *ret_more)
{
	uint64_t began_us = clock_us(CLOCK_MONOTONIC);
	struct listing *l = r->work;
	const struct run *run = NULL;
	int fault = l ? 0 : begin(r, &l);

	while (!fault && l->next < l->n && !parts_is_over(began_us)) {
		const struct run_member *member = &l->members[l->next++];

		run = run_of(r, run, member->run);
		if (run && is_asked(r, run))
			fault = view_run_member(&r->written, r->api->config.inventory, member);
	}
	*ret_more = !fault && l->next < l->n;
	return fault;
}

static int end(struct request *r, int error)
{
	return error ? error : written_list_end(r);
}

static int handle(struct request *r)
{
	static const struct parts_calls calls = { part, end };

	return parts_run(r, &calls);
}
