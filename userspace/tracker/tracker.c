/* SPDX-License-Identifier: MIT */
#include "tracker/tracker.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/moment.h"
#include "tracker/activity.h"
#include "tracker/deadlines.h"
#include "tracker/judge.h"
#include "tracker/listener.h"
#include "tracker/refusals.h"

#define EVENT_DETAILS_SIZE (STATUS_REASON_SIZE + 64)

/*
 * What one turn of the loop may spend, so that everybody who asks meanwhile has an answer within
 * some 50 ms, whatever somebody floods the daemon with.
 */
#define READ_MS	    5	 /* applying events */
#define CATCH_UP_MS 10	 /* the same before an answer: a ring that is full takes about that */
#define STOP_MS	    1000 /* the same at the end, when nobody waits any more */
#define JUDGE_MS    5	 /* judging claims whose processes changed */
/*
 * A table that is read anew rests for ten times as long as that took of the processor: on a machine
 * that is busy the reading waits for its turn as well, and the table is wrong meanwhile.
 */
#define RESYNC_SHARE	10
#define RESYNC_RETRY_MS 1000 /* when it could not be read */

struct tracker {
	struct tracker_config config;
	struct event *readable, *settle, *resync;
	int64_t resync_after_ms; /* CLOCK_MONOTONIC */
	struct deadlines deadlines;
	struct refusals *refusals;
	struct activity_writer activity;
	uint64_t lost_reported;
	bool starting;	  /* changes are told as "while no daemon ran" */
	bool ports_fresh; /* the registry's, in this turn */
	/* Ports that an exit, a fork or an exec touched: judged once the table has settled, because
	 * the close of the dead process's sockets is about to arrive. */
	bool deferring, pending;
	uint64_t pending_ports[65536 / 64]; /* a bit for each */
};

static int64_t now_unix(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec;
}

/* --- one port --- */

static const struct {
	enum activity_action action;
	bool touch; /* it was seen alive, or seen dying, just now */
	bool silent;
} transitions[] = {
	[SERVICE_CLAIMED] = { .silent = true },
	[SERVICE_ACTIVE] = { ACTIVITY_ACTIVE, .touch = true },
	[SERVICE_GHOST] = { ACTIVITY_GHOST, .touch = true },
	[SERVICE_STALE] = { ACTIVITY_STALE },
	[SERVICE_ORPHANED] = { ACTIVITY_ORPHAN, .touch = true },
	[SERVICE_SQUATTED] = { ACTIVITY_SQUAT },
};
_Static_assert(ARRAY_SIZE(transitions) == _SERVICE_STATUS_MAX, "one row for each status");

/*
 * A claim and its verdict, copied out of the registry's cursor: inside it nothing may be written.
 */
struct change {
	struct tracker *t;
	int64_t now;
	int error;
	bool found;
	char id[IDENTITY_MAX + 1];
	uint16_t port;
	uid_t uid;
	enum service_status before;
	struct judgement is;
	int64_t deadline; /* with that status; Unix seconds */
};

static bool judge(const struct service *service, void *user_data)
{
	struct change *c = user_data;
	enum service_status now;

	c->error = judge_claim(c->t->config.inventory, service, c->now, JUDGE_TABLE, &c->is);
	if (c->error)
		return false;
	snprintf(c->id, sizeof(c->id), "%s", service->id);
	c->found = true;
	c->port = service->port;
	c->uid = service->uid;
	c->before = service->status;
	now = c->is.verdict.status;
	c->deadline = deadlines_of(
		service, now,
		now != service->status && transitions[now].touch ? c->now : service->updated_at);
	return false;
}

static void write_transition(struct tracker *t, const struct change *c)
{
	const struct status_verdict *verdict = &c->is.verdict;
	char details[EVENT_DETAILS_SIZE];
	const struct process *process = inventory_process(t->config.inventory, &verdict->process);

	snprintf(details, sizeof(details), "Port %u: %s%s", c->port, verdict->reason,
		 t->starting ? " (changed while no daemon ran)" : "");
	activity_write_or_log(&t->activity,
			      &(struct activity){
				      .action = transitions[verdict->status].action,
				      .service = c->id,
				      .details = details,
				      .timestamp = c->now,
				      .port = c->port,
				      .pid = verdict->process.pid,
				      /* a squatter's flood of entries counts to the squatter */
				      .uid = process && process->uid != PROCESS_UID_UNKNOWN
						     ? process->uid
						     : c->uid,
				      .comm = process ? process->comm : "",
			      });
}

static int write_status(struct tracker *t, const struct change *c)
{
	enum service_status status = c->is.verdict.status;
	int r = registry_begin(t->config.registry);

	if (!r)
		r = registry_set_status(t->config.registry, c->id, status,
					transitions[status].touch, c->now);
	if (r) {
		log_error("%s: status %s was not stored: %s", c->id, service_status_name(status),
			  registry_strerror(t->config.registry, r));
		return r;
	}
	activity_commit_due(&t->activity, true);
	if (!transitions[status].silent)
		write_transition(t, c);
	return 0;
}

/* The status of the claim that the port has now, -1 without one. */
static int refresh_port(struct tracker *t, uint16_t port, int64_t now)
{
	struct change c = { .t = t, .now = now };
	int r = registry_service_by_port(t->config.registry, port, judge, &c);

	if (r >= 0 && c.error)
		r = c.error;
	if (r < 0)
		log_error("the claim of port %u was not read: %s", port,
			  registry_strerror(t->config.registry, r));
	if (!c.found)
		return -1;
	if (c.is.verdict.status != c.before && write_status(t, &c))
		return c.before;
	deadlines_note(&t->deadlines, c.deadline, now);
	return c.is.verdict.status;
}

static int judge_due(uint16_t port, int64_t now, void *user_data)
{
	return refresh_port(user_data, port, now);
}

/* Nearly all events are of ports that nobody claimed: those cost no query. */
static bool may_be_claimed(struct tracker *t, uint32_t netns, uint16_t port)
{
	int r;

	if (netns != inventory_own_netns(t->config.inventory))
		return false;
	if (!t->ports_fresh) {
		r = registry_ports_refresh(t->config.registry);
		if (r)
			log_error("the claimed ports were not read: %s",
				  registry_strerror(t->config.registry, r));
		t->ports_fresh = true;
	}
	return registry_port_may_be_claimed(t->config.registry, port);
}

static void port_changed(uint32_t netns, uint16_t port, void *user_data)
{
	struct tracker *t = user_data;

	if (!may_be_claimed(t, netns, port))
		return;
	if (!t->deferring) {
		refresh_port(t, port, now_unix());
		return;
	}
	t->pending_ports[port / 64] |= 1ULL << port % 64;
	t->pending = true;
}

/* --- all ports --- */

/* Until this moment (CLOCK_MONOTONIC); what is left stays pending. */
static void judge_pending(struct tracker *t, int64_t now, int64_t until_ms)
{
	for (size_t i = 0; t->pending && i < ARRAY_SIZE(t->pending_ports); i++) {
		while (t->pending_ports[i]) {
			size_t bit = (size_t)__builtin_ctzll(t->pending_ports[i]);

			if (clock_ms(CLOCK_MONOTONIC) >= until_ms)
				return;
			t->pending_ports[i] &= t->pending_ports[i] - 1;
			refresh_port(t, (uint16_t)(64 * i + bit), now);
		}
	}
	t->pending = false;
}

static bool add_pending(const struct service *service, void *user_data)
{
	struct tracker *t = user_data;

	t->pending_ports[service->port / 64] |= 1ULL << service->port % 64;
	t->pending = true;
	return true;
}

/* Judges every claim.  0, negative errno. */
static int refresh_all(struct tracker *t, int64_t now)
{
	const struct service_filter all = { .status = -1 };
	int r = registry_for_each_service(t->config.registry, &all, add_pending, t);

	judge_pending(t, now, INT64_MAX);
	return r < 0 ? r : 0;
}

static void resync(struct tracker *t, int64_t now)
{
	struct sentinel_counters counters = t->config.source.counters(t->config.source.user_data);
	char details[EVENT_DETAILS_SIZE];
	int64_t began_ms = clock_ms(CLOCK_THREAD_CPUTIME_ID), took_ms;
	int r = inventory_resync(t->config.inventory, now, port_changed, t);

	took_ms = clock_ms(CLOCK_THREAD_CPUTIME_ID) - began_ms;
	t->resync_after_ms = clock_ms(CLOCK_MONOTONIC) +
			     (r ? RESYNC_RETRY_MS : RESYNC_SHARE * took_ms);
	if (r) {
		log_error("the table of sockets was not rebuilt: %s", strerror(-r));
		return;
	}
	if (counters.lost == t->lost_reported)
		return;
	snprintf(details, sizeof(details), "%llu kernel events were lost; the table was read anew",
		 (unsigned long long)(counters.lost - t->lost_reported));
	t->lost_reported = counters.lost;
	log_warning("%s", details);
	activity_note(&t->activity, ACTIVITY_GAP, details, now);
}

/* --- events --- */

struct owner {
	char id[IDENTITY_MAX + 1];
};

static bool copy_id(const struct service *service, void *user_data)
{
	struct owner *owner = user_data;

	snprintf(owner->id, sizeof(owner->id), "%s", service->id);
	return false;
}

/* The service that owns the event's port, or NULL. */
static const char *owner_of(struct tracker *t, const struct event *event, struct owner *owner)
{
	if (!event->port || !may_be_claimed(t, event->netns, event->port))
		return NULL;
	return registry_service_by_port(t->config.registry, event->port, copy_id, owner)
		       ? NULL
		       : owner->id;
}

static void schedule_settle(struct tracker *t)
{
	static const struct timeval wait = { .tv_usec = INVENTORY_SETTLE_MS * 1000 };

	if (!event_pending(t->settle, EV_TIMEOUT, NULL))
		event_add(t->settle, &wait);
}

/*
 * The kernel's close event knows its socket by the cookie alone; the table, which is about to
 * forget it, knows the rest.
 */
static void complete_close(const struct inventory *inv, struct event *close)
{
	const struct socket_row *row = inventory_by_cookie(inv, close->cookie);

	if (!row)
		return;
	close->inode = row->inode;
	close->netns = row->netns;
	close->protocol = row->protocol;
	close->family = row->family;
	close->addr = row->addr;
	close->port = row->port;
}

static void on_event(const struct event *seen, void *user_data)
{
	struct tracker *t = user_data;
	int64_t now = now_unix();
	struct event completed;
	const struct event *event = seen;
	struct owner owner;
	const char *service;
	bool settle = false;
	int r;

	if (seen->kind == EVENT_CLOSE) {
		completed = *seen;
		complete_close(t->config.inventory, &completed);
		event = &completed;
	}
	t->deferring = event->kind == EVENT_EXIT || event->kind == EVENT_FORK ||
		       event->kind == EVENT_EXEC;
	r = inventory_apply(t->config.inventory, event, now, port_changed, t, &settle);
	t->deferring = false;
	if (r)
		log_error("an event of pid %d was not applied: %s", event->actor.pid, strerror(-r));
	if (settle || t->pending)
		schedule_settle(t);

	service = owner_of(t, event, &owner);
	if (event->kind == EVENT_FAIL)
		refusals_record(t->refusals, event, service, now);
	if (t->activity.listener)
		t->activity.listener->event(event, service, now, t->activity.listener->user_data);
}

/* Reads the table anew, or sets the timer for that, while something of it was missed. */
static void mend_losses(struct tracker *t)
{
	int64_t wait_ms = t->resync_after_ms - clock_ms(CLOCK_MONOTONIC);
	struct timeval wait;

	if (wait_ms <= 0 && inventory_is_behind(t->config.inventory)) {
		resync(t, now_unix());
		schedule_settle(t);
		wait_ms = RESYNC_RETRY_MS;
	}
	wait = (struct timeval){ .tv_sec = wait_ms / 1000, .tv_usec = wait_ms % 1000 * 1000 };
	if (!inventory_is_behind(t->config.inventory))
		event_del(t->resync);
	else if (!event_pending(t->resync, EV_TIMEOUT, NULL))
		event_add(t->resync, &wait);
}

static void on_resync(evutil_socket_t fd, short what, void *user_data)
{
	mend_losses(user_data);
}

static void read_events(struct tracker *t, const struct sentinel_slice *slice)
{
	const struct event_source *source = &t->config.source;
	bool lost = false;
	int r;

	inventory_refresh(t->config.inventory);
	t->ports_fresh = false;
	r = source->dispatch(source->user_data, slice, on_event, t, &lost);
	if (r)
		log_error("kernel events were not read: %s", strerror(-r));
	if (lost)
		inventory_note_loss(t->config.inventory);
	mend_losses(t);
}

/*
 * An answer is as new as its question: what the kernel told before that was asked is applied, and
 * whoever has just bound a port finds it.  What comes in meanwhile is for the next question.  In a
 * flood that fills the ring the bound is a time: then an answer may be that much older.
 */
static void read_up_to_now(struct tracker *t, uint64_t budget_ms)
{
	struct sentinel_slice slice = { .budget_ns = budget_ms * NS_PER_MS };
	struct timespec asked;

	clock_gettime(CLOCK_BOOTTIME, &asked);
	slice.until_ns = (uint64_t)asked.tv_sec * 1000000000 + (uint64_t)asked.tv_nsec;
	read_events(t, &slice);
}

/* What is left makes the descriptor readable in the next turn, behind the clients of this one. */
static void on_readable(evutil_socket_t fd, short what, void *user_data)
{
	static const struct sentinel_slice slice = { .budget_ns = READ_MS * NS_PER_MS };

	read_events(user_data, &slice);
}

/* After everything that was told: a close that waits in the ring needs no explanation. */
static void on_settle(evutil_socket_t fd, short what, void *user_data)
{
	struct tracker *t = user_data;
	int64_t now = now_unix();
	bool again = false;
	int r;

	read_up_to_now(t, CATCH_UP_MS);
	r = inventory_settle(t->config.inventory, now, port_changed, t, &again);
	if (r)
		log_error("the table was not settled: %s", strerror(-r));
	judge_pending(t, now, clock_ms(CLOCK_MONOTONIC) + JUDGE_MS);
	if (again || t->pending)
		schedule_settle(t);
}

/* --- lifecycle --- */

int tracker_new(const struct tracker_config *config, struct tracker **ret)
{
	struct tracker *t = calloc(1, sizeof(*t));
	struct refusals_config refusals;

	if (!t)
		return -ENOMEM;
	refusals = (struct refusals_config){
		.loop = config->loop,
		.source = &t->config.source,
		.inventory = config->inventory,
		.activity = &t->activity,
	};
	t->config = *config;
	t->readable = event_new(config->loop, config->source.fd, EV_READ | EV_PERSIST, on_readable,
				t);
	t->settle = evtimer_new(config->loop, on_settle, t);
	t->resync = evtimer_new(config->loop, on_resync, t);
	t->deadlines = (struct deadlines){
		.registry = config->registry,
		.activity = &t->activity,
		.judge = judge_due,
		.user_data = t,
	};
	if (!t->readable || !t->settle || !t->resync ||
	    activity_init(&t->activity, config->loop, config->registry) ||
	    deadlines_init(&t->deadlines, config->loop) || refusals_new(&refusals, &t->refusals)) {
		tracker_free(t);
		return -ENOMEM;
	}
	*ret = t;
	return 0;
}

void tracker_free(struct tracker *t)
{
	if (!t)
		return;
	refusals_free(t->refusals);
	deadlines_deinit(&t->deadlines);
	activity_deinit(&t->activity);
	if (t->resync)
		event_free(t->resync);
	if (t->settle)
		event_free(t->settle);
	if (t->readable)
		event_free(t->readable);
	free(t);
}

void tracker_set_listener(struct tracker *t, const struct tracker_listener *listener)
{
	t->activity.listener = listener;
}

static void note_start(struct tracker *t, int64_t last, int64_t now)
{
	const struct sentinel_report *report = t->config.source.report;
	char details[EVENT_DETAILS_SIZE], age[32];
	int working = 0;

	for (int i = 0; i < report->n_probes; i++)
		working += report->probes[i].state == SENTINEL_PROBE_WORKS;
	if (report->mode == SENTINEL_MODE_BPF)
		snprintf(details, sizeof(details), "started (pid %d, eBPF, %d of %d probes)",
			 getpid(), working, report->n_probes);
	else
		snprintf(details, sizeof(details), "started (pid %d, polling: %s)", getpid(),
			 report->why_not_bpf);
	log_info("%s", details);
	activity_note(&t->activity, ACTIVITY_DAEMON, details, now);
	if (!last)
		return;
	snprintf(details, sizeof(details), "no daemon listened for up to %s before this",
		 duration_format_long(now > last ? now - last : 1, age));
	activity_note(&t->activity, ACTIVITY_GAP, details, now);
}

int tracker_start(struct tracker *t)
{
	int64_t now = now_unix(), last = 0;
	int r = registry_last_alive(t->config.registry, &last);

	if (!r)
		r = activity_prune_all(t->config.registry, now);
	if (r)
		return r;
	note_start(t, last, now);
	t->starting = true;
	t->deferring = true; /* the claims are judged once, below, on the finished table */
	r = inventory_resync(t->config.inventory, now, port_changed, t);
	t->deferring = false;
	if (!r)
		r = refresh_all(t, now);
	t->starting = false;
	if (!r)
		r = registry_begin(t->config.registry);
	if (!r)
		r = registry_mark_alive(t->config.registry, now);
	if (!r && event_add(t->readable, NULL))
		r = -ENOMEM;
	if (r)
		return r;
	activity_commit_due(&t->activity, true);
	deadlines_reschedule(&t->deadlines, now);
	/* what happened while the table was being read waits in the ring: nothing is missed */
	event_active(t->readable, EV_READ, 0);
	schedule_settle(t);
	return 0;
}

void tracker_stop(struct tracker *t)
{
	int64_t now = now_unix();
	int r;

	read_up_to_now(t, STOP_MS);
	refusals_finish(t->refusals, now);
	activity_note(&t->activity, ACTIVITY_DAEMON, "stopped", now);
	r = registry_mark_alive(t->config.registry, now);
	if (!r)
		r = registry_commit(t->config.registry);
	if (r)
		log_error("the end was not written down: %s",
			  registry_strerror(t->config.registry, r));
}

/* --- for the room above --- */

struct activity_writer *tracker_activity(struct tracker *t)
{
	return &t->activity;
}

int tracker_claim_changed(struct tracker *t, uint16_t port)
{
	return refresh_port(t, port, now_unix());
}

void tracker_catch_up(struct tracker *t)
{
	read_up_to_now(t, CATCH_UP_MS);
}

void tracker_clock_changed(struct tracker *t)
{
	deadlines_look(&t->deadlines, now_unix());
}

size_t tracker_explain_waiting(struct tracker *t, const struct failure_filter *asked)
{
	return refusals_explain_asked(t->refusals, asked);
}
