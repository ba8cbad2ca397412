/* SPDX-License-Identifier: MIT */
/* The status of the claims: judged anew when something about their port changed. */
#include <stdio.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/run.h"
#include "registry/runs.h"
#include "tracker/internal.h"
#include "tracker/judge.h"

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
	uint16_t port, asked_port; /* that its run's program asks for; 0 = the same */
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
	c->asked_port = service->runs ? run_asked_port(service->runs, service->port) : 0;
	c->before = service->status;
	now = c->is.verdict.status;
	c->deadline = deadlines_of(
		service, now,
		now != service->status && transitions[now].touch ? c->now : service->updated_at);
	return false;
}

/* A socket that its process closes and opens again makes no entries (closes.h). */
static bool undoes_itself(struct tracker *t, const struct change *c, const struct activity *entry)
{
	if (t->starting)
		return false;
	if (c->is.verdict.status == SERVICE_ACTIVE)
		return closes_undone(t->closes, c->port, &c->is.verdict.process);
	if (c->is.verdict.status == SERVICE_GHOST)
		return closes_wait(t->closes, entry);
	closes_write(t->closes, c->port);
	return false;
}

static void write_transition(struct tracker *t, const struct change *c)
{
	const struct status_verdict *verdict = &c->is.verdict;
	char details[TRACKER_DETAILS_SIZE], port[RUN_PORT_SIZE];
	uint16_t asked = verdict->status == SERVICE_SQUATTED ? 0 : c->asked_port;
	const struct process *process = inventory_process(t->config.inventory, &verdict->process);
	const struct activity entry = {
		.action = transitions[verdict->status].action,
		.service = c->id,
		.details = details,
		.timestamp = c->now,
		.port = c->port,
		.pid = verdict->process.pid,
		/* a squatter's flood of entries counts to the squatter */
		.uid = process && process->uid != PROCESS_UID_UNKNOWN ? process->uid : c->uid,
		.comm = process ? process->comm : "",
	};

	snprintf(details, sizeof(details), "Port %s: %s%s", run_port_format(asked, c->port, port),
		 verdict->reason, t->starting ? " (changed while no daemon ran)" : "");
	if (!undoes_itself(t, c, &entry))
		activity_write_or_log(&t->activity, &entry);
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

int claims_refresh_port(struct tracker *t, uint16_t port, int64_t now)
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

bool claims_may_have_port(struct tracker *t, uint32_t netns, uint16_t port)
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

void claims_port_changed(uint32_t netns, uint16_t port, void *tracker)
{
	struct tracker *t = tracker;

	if (!claims_may_have_port(t, netns, port))
		return;
	if (!t->deferring) {
		claims_refresh_port(t, port, tracker_now());
		return;
	}
	portset_add(&t->pending_ports, port);
	t->pending = true;
}

void claims_port_found_changed(uint32_t netns, uint16_t port, void *tracker)
{
	struct tracker *t = tracker;

	history_check_port(t->history, port);
	claims_port_changed(netns, port, t);
}

/* --- all ports --- */

void claims_refresh_pending(struct tracker *t, int64_t now, int64_t until_ms)
{
	size_t port = 0;

	while (t->pending && (port = portset_next(&t->pending_ports, port)) != PORTSET_END) {
		if (clock_ms(CLOCK_MONOTONIC) >= until_ms)
			return;
		portset_remove(&t->pending_ports, (uint16_t)port);
		claims_refresh_port(t, (uint16_t)port, now);
	}
	t->pending = false;
}

static bool add_pending(const struct service *service, void *user_data)
{
	struct tracker *t = user_data;

	portset_add(&t->pending_ports, service->port);
	t->pending = true;
	return true;
}

int claims_refresh_all(struct tracker *t, int64_t now)
{
	const struct service_filter all = { .status = -1 };
	int r = registry_for_each_service(t->config.registry, &all, add_pending, t);

	claims_refresh_pending(t, now, INT64_MAX);
	return r < 0 ? r : 0;
}
