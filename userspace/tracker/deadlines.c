/* SPDX-License-Identifier: MIT */
#include "tracker/deadlines.h"

#include <errno.h>
#include <event2/event.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "reconcile/status.h"
#include "tracker/release.h"

#define RETRY_S 60 /* an expired claim that was used is released this long after its use */
#define SLICE	64 /* claims that one turn of the loop changes: a few milliseconds */

int64_t deadlines_of(const struct service *service, enum service_status status, int64_t updated_at)
{
	int64_t at = INT64_MAX;

	if (status == SERVICE_CLAIMED || status == SERVICE_GHOST)
		at = updated_at + RECONCILE_STALE_AGE_S;
	return service->expires_at && service->expires_at < at ? service->expires_at : at;
}

static void set(struct deadlines *d, int64_t when, int64_t now)
{
	const struct timeval wait = { .tv_sec = when - now };

	d->next = when;
	if (event_add(d->timer, &wait))
		log_error("claims do not turn stale: the timer was not set");
}

void deadlines_note(struct deadlines *d, int64_t at_unix, int64_t now)
{
	/* one second past it: ages are compared in whole seconds */
	int64_t when = at_unix < now ? now + RETRY_S : at_unix;

	if (at_unix != INT64_MAX && when + 1 < d->next)
		set(d, when + 1, now);
}

void deadlines_reschedule(struct deadlines *d, int64_t now)
{
	int64_t at;
	int r = registry_next_deadline(d->registry, RECONCILE_STALE_AGE_S, &at);

	if (r) {
		log_error("the next deadline was not read: %s", registry_strerror(d->registry, r));
		at = now + RETRY_S;
	}
	event_del(d->timer);
	d->next = INT64_MAX;
	deadlines_note(d, at, now);
}

/* --- what is due --- */

/* Copied out of the registry's cursor: inside it nothing may be written. */
struct due {
	int64_t now;
	size_t n;
	struct {
		char id[IDENTITY_MAX + 1];
		uint16_t port;
	} claims[SLICE];
};

static bool add_due(const struct service *service, void *user_data)
{
	struct due *due = user_data;

	snprintf(due->claims[due->n].id, sizeof(due->claims[0].id), "%s", service->id);
	due->claims[due->n++].port = service->port;
	return due->n < SLICE;
}

/* True when there may be more. */
static bool judge_silent(struct deadlines *d, int64_t now)
{
	struct due due = { .now = now };
	int r = registry_for_each_silent(d->registry, now - RECONCILE_STALE_AGE_S, add_due, &due);
	bool changed = false;

	if (r)
		log_error("the claims were not read: %s", registry_strerror(d->registry, r));
	for (size_t i = 0; i < due.n; i++) {
		int status = d->judge(due.claims[i].port, now, d->user_data);

		changed |= status != SERVICE_CLAIMED && status != SERVICE_GHOST;
	}
	/* what could not be written waits: at once it would only fail again */
	return due.n == SLICE && changed;
}

static int release(struct deadlines *d, const char *id, uint16_t port, int64_t now)
{
	const struct release_actor daemon = { getpid(), geteuid(), "portdaddyd" };
	int r = release_claim(d->activity, id, port, "its time is over", &daemon, now);

	if (r)
		log_error("%s: not released at its end: %s", id, registry_strerror(d->registry, r));
	return r;
}

/* Releases claims whose --ttl is over and that nothing uses.  True when there may be more. */
static bool release_expired(struct deadlines *d, int64_t now)
{
	struct due due = { .now = now };
	int r = registry_for_each_expired(d->registry, now, add_due, &due);

	if (r)
		log_error("the claims were not read: %s", registry_strerror(d->registry, r));
	for (size_t i = 0; i < due.n && !r; i++)
		r = release(d, due.claims[i].id, due.claims[i].port, now);
	return due.n == SLICE && !r;
}

void deadlines_look(struct deadlines *d, int64_t now)
{
	bool more = judge_silent(d, now);

	more |= release_expired(d, now);
	if (more)
		set(d, now, now);
	else
		deadlines_reschedule(d, now);
}

static void on_timer(evutil_socket_t fd, short what, void *user_data)
{
	deadlines_look(user_data, time(NULL));
}

/* --- lifecycle --- */

int deadlines_init(struct deadlines *d, struct event_base *loop)
{
	d->next = INT64_MAX;
	d->timer = evtimer_new(loop, on_timer, d);
	return d->timer ? 0 : -ENOMEM;
}

void deadlines_deinit(struct deadlines *d)
{
	if (d->timer)
		event_free(d->timer);
}
