/* SPDX-License-Identifier: MIT */
#include "http/parts.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>

#include "base/clock.h"
#include "http/commit.h"
#include "http/internal.h"
#include "http/kept.h"

struct parts {
	const struct parts_calls *calls;
	struct kept_request *kept; /* NULL: its client has left */
	struct event *next;
	bool commits; /* on_committed() is going to be called */
};

static void parts_free(struct parts *p)
{
	if (p->next)
		event_free(p->next);
	free(p);
}

static void on_left(void *user_data)
{
	struct parts *p = user_data;

	p->kept = NULL;
	if (!p->commits)
		parts_free(p);
}

static void answer(struct parts *p, int error)
{
	struct kept_request *kept = p->kept;
	const struct parts_calls *calls = p->calls;

	parts_free(p);
	kept_request_answer(kept, calls->end(kept_request_get(kept), error));
}

static void on_committed(int error, void *user_data)
{
	static const struct timeval at_once;
	struct parts *p = user_data;

	p->commits = false;
	if (!p->kept)
		parts_free(p);
	else if (error)
		answer(p, error);
	else
		event_add(p->next, &at_once);
}

/* Has the next part done behind the commit of this one. */
static int go_on(struct parts *p, struct request *r)
{
	int error = commit_stage_call(server_commits(r->server), on_committed, p);

	p->commits = !error;
	return error;
}

static void on_next(evutil_socket_t fd, short what, void *user_data)
{
	struct parts *p = user_data;
	struct request *r = kept_request_get(p->kept);
	bool more = false;
	int error = p->calls->part(r, &more);

	if (!error && more)
		error = go_on(p, r);
	if (error || !more)
		answer(p, error);
}

static int keep(struct request *r, const struct parts_calls *calls)
{
	struct parts *p = calloc(1, sizeof(*p));
	int error = -ENOMEM;

	if (!p)
		return error;
	p->calls = calls;
	p->next = evtimer_new(r->server->config.loop, on_next, p);
	if (p->next)
		error = go_on(p, r);
	if (error) {
		parts_free(p);
		return error;
	}
	error = kept_request_new(r, on_left, p, &p->kept);
	/* without a client the call that is staged finds nobody */
	if (!error)
		kept_request_get(p->kept)->trace.waits = false;
	return error;
}

int parts_run(struct request *r, const struct parts_calls *calls)
{
	bool more = false;
	int error = calls->part(r, &more);

	if (!error && more)
		error = keep(r, calls);
	if (!error && more)
		return 0;
	return calls->end(r, error);
}

bool parts_is_over(uint64_t began_us)
{
	return clock_us(CLOCK_MONOTONIC) - began_us >= PARTS_SLICE_US;
}
