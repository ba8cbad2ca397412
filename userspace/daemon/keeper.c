/* SPDX-License-Identifier: MIT */
#include "daemon/keeper.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/api.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/moment.h"
#include "base/text.h"
#include "daemon/deadlines.h"
#include "daemon/journal.h"
#include "daemon/refusals.h"
#include "reconcile/status.h"

#define ROWS_MAX	   64 /* sockets of one port that a status is judged by */
#define EVENT_DETAILS_SIZE 256
#define NS_PER_MS	   UINT64_C(1000000)

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

struct keeper {
	struct keeper_config config;
	struct event *readable, *settle, *resync;
	int64_t resync_after_ms; /* CLOCK_MONOTONIC */
	struct deadlines deadlines;
	struct refusals *refusals;
	struct journal journal;
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

static int64_t clock_ms(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t now_ms(void)
{
	return clock_ms(CLOCK_MONOTONIC);
}

static const struct process *look_up(const struct process_id *id, void *user_data)
{
	return inventory_process(user_data, id);
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

/* A claim and its verdict, copied out of the registry's cursor: inside it nothing may be written.
 */
struct judgement {
	struct keeper *k;
	int64_t now;
	bool found;
	char id[IDENTITY_MAX + 1];
	uint16_t port;
	uid_t uid;
	enum service_status before;
	struct status_verdict verdict;
	int64_t deadline; /* with that status; Unix seconds */
};

static bool judge(const struct service *service, void *user_data)
{
	struct judgement *j = user_data;
	struct inventory *inv = j->k->config.inventory;
	enum service_status now;
	const struct socket_row *rows[ROWS_MAX];
	size_t n = inventory_by_port(inv, inventory_own_netns(inv), service->port, rows, ROWS_MAX);

	snprintf(j->id, sizeof(j->id), "%s", service->id);
	j->found = true;
	j->port = service->port;
	j->uid = service->uid;
	j->before = service->status;
	reconcile_service(service, rows, n < ROWS_MAX ? n : ROWS_MAX, look_up, inv, j->now,
			  RECONCILE_STALE_AGE_S, &j->verdict);
	now = j->verdict.status;
	j->deadline = deadlines_of(
		service, now,
		now != service->status && transitions[now].touch ? j->now : service->updated_at);
	return false;
}

static int write_status(struct keeper *k, const struct judgement *j)
{
	enum service_status status = j->verdict.status;
	char details[EVENT_DETAILS_SIZE], comm[4 * PROCESS_COMM_SIZE] = "";
	const struct process *process = inventory_process(k->config.inventory, &j->verdict.process);
	struct activity entry = {
		.action = transitions[status].action,
		.service = j->id,
		.details = details,
		.timestamp = j->now,
		.port = j->port,
		.pid = j->verdict.process.pid,
		/* a squatter's flood of entries counts to the squatter */
		.uid = process && process->uid != PROCESS_UID_UNKNOWN ? process->uid : j->uid,
		.comm = process ? text_to_utf8(process->comm, comm, sizeof(comm)) : "",
	};
	int r = registry_begin(k->config.registry);

	if (!r)
		r = registry_set_status(k->config.registry, j->id, status,
					transitions[status].touch, j->now);
	if (r) {
		log_error("%s: status %s was not stored: %s", j->id, service_status_name(status),
			  registry_strerror(k->config.registry, r));
		return r;
	}
	api_schedule_commit(k->journal.api);
	if (transitions[status].silent)
		return 0;
	snprintf(details, sizeof(details), "Port %u: %s%s", j->port, j->verdict.reason,
		 k->starting ? " (changed while no daemon ran)" : "");
	journal_write(&k->journal, &entry);
	return 0;
}

/* The status of the claim that the port has now, -1 without one. */
static int refresh_port(struct keeper *k, uint16_t port, int64_t now)
{
	struct judgement j = { .k = k, .now = now };
	int r = registry_service_by_port(k->config.registry, port, judge, &j);

	if (r < 0)
		log_error("the claim of port %u was not read: %s", port,
			  registry_strerror(k->config.registry, r));
	if (!j.found)
		return -1;
	if (j.verdict.status != j.before && write_status(k, &j))
		return j.before;
	deadlines_note(&k->deadlines, j.deadline, now);
	return j.verdict.status;
}

static int judge_due(uint16_t port, int64_t now, void *user_data)
{
	return refresh_port(user_data, port, now);
}

/* Nearly all events are of ports that nobody claimed: those cost no query. */
static bool may_be_claimed(struct keeper *k, uint32_t netns, uint16_t port)
{
	int r;

	if (netns != inventory_own_netns(k->config.inventory))
		return false;
	if (!k->ports_fresh) {
		r = registry_ports_refresh(k->config.registry);
		if (r)
			log_error("the claimed ports were not read: %s",
				  registry_strerror(k->config.registry, r));
		k->ports_fresh = true;
	}
	return registry_port_may_be_claimed(k->config.registry, port);
}

static void port_changed(uint32_t netns, uint16_t port, void *user_data)
{
	struct keeper *k = user_data;

	if (!may_be_claimed(k, netns, port))
		return;
	if (!k->deferring) {
		refresh_port(k, port, now_unix());
		return;
	}
	k->pending_ports[port / 64] |= 1ULL << port % 64;
	k->pending = true;
}

size_t keeper_explain_waiting(const struct failure_filter *asked, void *user_data)
{
	struct keeper *k = user_data;

	return refusals_explain_asked(k->refusals, asked);
}

void keeper_entry_written(void *user_data)
{
	struct keeper *k = user_data;

	journal_count(&k->journal, now_unix());
}

void keeper_clock_changed(void *user_data)
{
	struct keeper *k = user_data;

	deadlines_look(&k->deadlines, now_unix());
}

int keeper_claims_changed(uint16_t port, void *user_data)
{
	return refresh_port(user_data, port, now_unix());
}

/* --- all ports --- */

/* Until this moment (now_ms()); what is left stays pending. */
static void judge_pending(struct keeper *k, int64_t now, int64_t until_ms)
{
	for (size_t i = 0; k->pending && i < ARRAY_SIZE(k->pending_ports); i++) {
		while (k->pending_ports[i]) {
			size_t bit = (size_t)__builtin_ctzll(k->pending_ports[i]);

			if (now_ms() >= until_ms)
				return;
			k->pending_ports[i] &= k->pending_ports[i] - 1;
			refresh_port(k, (uint16_t)(64 * i + bit), now);
		}
	}
	k->pending = false;
}

static bool add_pending(const struct service *service, void *user_data)
{
	struct keeper *k = user_data;

	k->pending_ports[service->port / 64] |= 1ULL << service->port % 64;
	k->pending = true;
	return true;
}

/* Judges every claim.  0, negative errno. */
static int refresh_all(struct keeper *k, int64_t now)
{
	const struct service_filter all = { .status = -1 };
	int r = registry_for_each_service(k->config.registry, &all, add_pending, k);

	judge_pending(k, now, INT64_MAX);
	return r < 0 ? r : 0;
}

static void resync(struct keeper *k, int64_t now)
{
	struct sentinel_counters counters = sentinel_counters(k->config.sentinel);
	char details[EVENT_DETAILS_SIZE];
	int64_t began_ms = clock_ms(CLOCK_THREAD_CPUTIME_ID), took_ms;
	int r = inventory_resync(k->config.inventory, now, port_changed, k);

	took_ms = clock_ms(CLOCK_THREAD_CPUTIME_ID) - began_ms;
	k->resync_after_ms = now_ms() + (r ? RESYNC_RETRY_MS : RESYNC_SHARE * took_ms);
	if (r) {
		log_error("the table of sockets was not rebuilt: %s", strerror(-r));
		return;
	}
	if (counters.lost == k->lost_reported)
		return;
	snprintf(details, sizeof(details), "%llu kernel events were lost; the table was read anew",
		 (unsigned long long)(counters.lost - k->lost_reported));
	k->lost_reported = counters.lost;
	log_warning("%s", details);
	journal_note(&k->journal, ACTIVITY_GAP, details, now);
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
static const char *owner_of(struct keeper *k, const struct event *event, struct owner *owner)
{
	if (!event->port || !may_be_claimed(k, event->netns, event->port))
		return NULL;
	return registry_service_by_port(k->config.registry, event->port, copy_id, owner)
		       ? NULL
		       : owner->id;
}

static void schedule_settle(struct keeper *k)
{
	static const struct timeval wait = { .tv_usec = INVENTORY_SETTLE_MS * 1000 };

	if (!event_pending(k->settle, EV_TIMEOUT, NULL))
		event_add(k->settle, &wait);
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
	struct keeper *k = user_data;
	int64_t now = now_unix();
	struct event completed;
	const struct event *event = seen;
	struct owner owner;
	const char *service;
	bool settle = false;
	int r;

	if (seen->kind == EVENT_CLOSE) {
		completed = *seen;
		complete_close(k->config.inventory, &completed);
		event = &completed;
	}
	k->deferring = event->kind == EVENT_EXIT || event->kind == EVENT_FORK ||
		       event->kind == EVENT_EXEC;
	r = inventory_apply(k->config.inventory, event, now, port_changed, k, &settle);
	k->deferring = false;
	if (r)
		log_error("an event of pid %d was not applied: %s", event->actor.pid, strerror(-r));
	if (settle || k->pending)
		schedule_settle(k);

	service = owner_of(k, event, &owner);
	if (event->kind == EVENT_FAIL)
		refusals_record(k->refusals, event, service, now);
	api_publish_event(k->journal.api, event, service, now);
}

/* Reads the table anew, or sets the timer for that, while something of it was missed. */
static void mend_losses(struct keeper *k)
{
	int64_t wait_ms = k->resync_after_ms - now_ms();
	struct timeval wait;

	if (wait_ms <= 0 && inventory_is_behind(k->config.inventory)) {
		resync(k, now_unix());
		schedule_settle(k);
		wait_ms = RESYNC_RETRY_MS;
	}
	wait = (struct timeval){ .tv_sec = wait_ms / 1000, .tv_usec = wait_ms % 1000 * 1000 };
	if (!inventory_is_behind(k->config.inventory))
		event_del(k->resync);
	else if (!event_pending(k->resync, EV_TIMEOUT, NULL))
		event_add(k->resync, &wait);
}

static void on_resync(evutil_socket_t fd, short what, void *user_data)
{
	mend_losses(user_data);
}

static void read_events(struct keeper *k, const struct sentinel_slice *slice)
{
	bool lost = false;
	int r;

	inventory_refresh(k->config.inventory);
	k->ports_fresh = false;
	r = sentinel_dispatch(k->config.sentinel, slice, on_event, k, &lost);
	if (r)
		log_error("kernel events were not read: %s", strerror(-r));
	if (lost)
		inventory_note_loss(k->config.inventory);
	mend_losses(k);
}

/*
 * An answer is as new as its question: what the kernel told before that was asked is applied, and
 * whoever has just bound a port finds it.  What comes in meanwhile is for the next question.  In a
 * flood that fills the ring the bound is a time: then an answer may be that much older.
 */
static void read_up_to_now(struct keeper *k, uint64_t budget_ms)
{
	struct sentinel_slice slice = { .budget_ns = budget_ms * NS_PER_MS };
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	slice.until_ns = (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
	read_events(k, &slice);
}

void keeper_catch_up(void *user_data)
{
	read_up_to_now(user_data, CATCH_UP_MS);
}

/* What is left makes the descriptor readable in the next turn, behind the clients of this one. */
static void on_readable(evutil_socket_t fd, short what, void *user_data)
{
	static const struct sentinel_slice slice = { .budget_ns = READ_MS * NS_PER_MS };

	read_events(user_data, &slice);
}

/* After everything that was told: a close that waits in the ring is no riddle. */
static void on_settle(evutil_socket_t fd, short what, void *user_data)
{
	struct keeper *k = user_data;
	int64_t now = now_unix();
	bool again = false;
	int r;

	keeper_catch_up(k);
	r = inventory_settle(k->config.inventory, now, port_changed, k, &again);
	if (r)
		log_error("the table was not settled: %s", strerror(-r));
	judge_pending(k, now, now_ms() + JUDGE_MS);
	if (again || k->pending)
		schedule_settle(k);
}

/* --- lifecycle --- */

int keeper_new(const struct keeper_config *config, struct keeper **ret)
{
	struct keeper *k = calloc(1, sizeof(*k));
	struct refusals_config refusals;

	if (!k)
		return -ENOMEM;
	refusals = (struct refusals_config){
		.loop = config->loop,
		.sentinel = config->sentinel,
		.inventory = config->inventory,
		.journal = &k->journal,
	};
	k->config = *config;
	k->journal.registry = config->registry;
	k->readable = event_new(config->loop, sentinel_fd(config->sentinel), EV_READ | EV_PERSIST,
				on_readable, k);
	k->settle = evtimer_new(config->loop, on_settle, k);
	k->resync = evtimer_new(config->loop, on_resync, k);
	k->deadlines = (struct deadlines){
		.registry = config->registry,
		.journal = &k->journal,
		.judge = judge_due,
		.user_data = k,
	};
	if (!k->readable || !k->settle || !k->resync ||
	    deadlines_init(&k->deadlines, config->loop) || refusals_new(&refusals, &k->refusals)) {
		keeper_free(k);
		return -ENOMEM;
	}
	*ret = k;
	return 0;
}

void keeper_free(struct keeper *k)
{
	if (!k)
		return;
	refusals_free(k->refusals);
	deadlines_deinit(&k->deadlines);
	if (k->resync)
		event_free(k->resync);
	if (k->settle)
		event_free(k->settle);
	if (k->readable)
		event_free(k->readable);
	free(k);
}

void keeper_set_api(struct keeper *k, struct api *api)
{
	k->journal.api = api;
}

static void note_start(struct keeper *k, int64_t last, int64_t now)
{
	const struct sentinel_report *report = sentinel_report(k->config.sentinel);
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
	journal_note(&k->journal, ACTIVITY_DAEMON, details, now);
	if (!last)
		return;
	snprintf(details, sizeof(details), "no daemon listened for up to %s before this",
		 duration_format_long(now > last ? now - last : 1, age));
	journal_note(&k->journal, ACTIVITY_GAP, details, now);
}

int keeper_start(struct keeper *k)
{
	int64_t now = now_unix(), last = 0;
	int r = registry_last_alive(k->config.registry, &last);

	if (!r)
		r = journal_prune_all(&k->journal, now);
	if (r)
		return r;
	note_start(k, last, now);
	k->starting = true;
	k->deferring = true; /* the claims are judged once, below, on the finished table */
	r = inventory_resync(k->config.inventory, now, port_changed, k);
	k->deferring = false;
	if (!r)
		r = refresh_all(k, now);
	k->starting = false;
	if (!r)
		r = registry_begin(k->config.registry);
	if (!r)
		r = registry_mark_alive(k->config.registry, now);
	if (!r && event_add(k->readable, NULL))
		r = -ENOMEM;
	if (r)
		return r;
	api_schedule_commit(k->journal.api);
	deadlines_reschedule(&k->deadlines, now);
	/* what happened while the table was being read waits in the ring: nothing is missed */
	event_active(k->readable, EV_READ, 0);
	schedule_settle(k);
	return 0;
}

void keeper_stop(struct keeper *k)
{
	int64_t now = now_unix();
	int r;

	read_up_to_now(k, STOP_MS);
	refusals_finish(k->refusals, now);
	journal_note(&k->journal, ACTIVITY_DAEMON, "stopped", now);
	r = registry_mark_alive(k->config.registry, now);
	if (!r)
		r = registry_commit(k->config.registry);
	if (r)
		log_error("the end was not written down: %s",
			  registry_strerror(k->config.registry, r));
}
