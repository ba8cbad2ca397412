/* SPDX-License-Identifier: MIT */
#include "tracker/claim.h"

#include <errno.h>
#include <stdio.h>

#include "base/procfs.h"
#include "tracker/activity.h"
#include "tracker/internal.h"
#include "tracker/judge.h"

/* --- what is on a port? --- */

struct looking {
	struct tracker *t;
	/* its port: exactly this one, also where ports are not assigned; 0 = none */
	const struct claim_request *request;
	bool running; /* what is on that port may be the claim's own server */
	int error;
	enum port_use use; /* of the claim's own port */
};

static bool judge_own(const struct service *service, void *user_data)
{
	struct looking *l = user_data;

	l->error = judge_port_use(l->t->config.inventory, service, &l->use);
	return false;
}

static enum port_use look_at_own(struct looking *l, uint16_t port)
{
	int r = registry_service_by_port(l->t->config.registry, port, judge_own, l);

	if (r < 0)
		l->error = r;
	return l->use;
}

/* As if the claim were there already. */
static bool is_served(struct looking *l, uint16_t port)
{
	const struct claim_request *request = l->request;
	const struct service wanted = {
		.id = request->id,
		.port = port,
		.home = port,
		.uid = request->uid,
		.cwd = request->cwd,
		.sid = request->sid,
		.claimer = request->claimer,
		.same_boot = true,
	};
	enum port_use use = PORT_FREE;
	int r = judge_port_use(l->t->config.inventory, &wanted, &use);

	if (r)
		l->error = r;
	return !r && use == PORT_SERVED;
}

static enum port_use look(uint16_t port, bool own, void *user_data)
{
	struct looking *l = user_data;
	struct inventory *inv = l->t->config.inventory;
	bool is_free = false;
	int r;

	if (own)
		return look_at_own(l, port);
	if (l->running && l->request->port == port && is_served(l, port))
		return PORT_SERVED;
	if (l->request->port != port && inventory_port_is_reserved(inv, port))
		return PORT_RESERVED;
	r = inventory_port_is_free(inv, port, &is_free);
	if (r)
		l->error = r;
	return !r && is_free ? PORT_FREE : PORT_TAKEN;
}

/* --- the rows --- */

static int make_one(struct tracker *t, const struct claim_request *common, bool running,
		    struct claim_order *order)
{
	struct claim_request request = *common;
	struct looking looking = { .t = t, .request = &request, .running = running };
	int r;

	request.id = order->id;
	request.health_path = *order->health_path ? order->health_path : NULL;
	r = registry_claim(t->config.registry, &request, look, &looking, &order->result);
	/* "taken" because the kernel was not to be asked is a failure, not a conflict */
	return r > 0 && looking.error ? looking.error : r;
}

/* The program that ran pd is the claimer: the pid of `pd claim` itself is gone in a moment. */
static struct claim_request request_of(struct claim_batch *b)
{
	struct claim_request request = {
		.port = b->port,
		.range = b->range,
		.ttl_s = b->ttl_s,
		.uid = b->uid,
		.cwd = b->cwd ? b->cwd : b->peer.cwd,
		.sid = b->peer.sid,
		.now = b->now,
	};

	if (!b->cwd && b->peer.id.pid)
		procfs_link(b->peer.id.pid, "cwd", b->peer.cwd);
	if (b->peer.n_ancestors)
		request.claimer = b->peer.ancestors[0].id;
	return request;
}

static int make_rows(struct tracker *t, struct claim_batch *b)
{
	const struct claim_request common = request_of(b);
	bool grouped = b->n > 1; /* a single one that fails undoes itself */
	int r = grouped ? registry_group_begin(t->config.registry) : 0, end = 0;

	if (r)
		return r;
	for (size_t i = 0; !r && i < b->n; i++) {
		b->refused = &b->orders[i];
		r = make_one(t, &common, b->running, &b->orders[i]);
	}
	if (grouped)
		end = registry_group_end(t->config.registry, r != 0);
	return r ? r : end;
}

/* --- what follows from them --- */

static int write_entry(struct tracker *t, const struct claim_batch *b,
		       const struct claim_order *order)
{
	const struct claim_result *result = &order->result;
	char details[TRACKER_DETAILS_SIZE], was[24] = "";

	if (result->previous_port)
		snprintf(was, sizeof(was), " (was %u)", result->previous_port);
	snprintf(details, sizeof(details), "Port %u assigned%s", result->port, was);
	return activity_write(&t->activity, &(struct activity){ .action = ACTIVITY_CLAIM,
								.service = result->id,
								.details = details,
								.timestamp = b->now,
								.port = result->port,
								.pid = b->pid,
								.uid = b->uid,
								.comm = b->peer.comm });
}

static int settle(struct tracker *t, const struct claim_batch *b, struct claim_order *order)
{
	const struct claim_result *result = &order->result;
	int r = 0;

	if (!result->existing || result->previous_port)
		r = write_entry(t, b, order);
	if (r)
		return r;
	if (result->previous_port)
		tracker_claim_changed(t, result->previous_port);
	order->status = tracker_claim_changed(t, result->port);
	return order->status < 0 ? -ENOENT : 0;
}

/* --- what is said of them --- */

static int look_around(struct tracker *t, struct claim_batch *b, int outcome)
{
	int r = 0;

	if (outcome == OUTCOME_CONFLICT && !*b->refused->result.holder_id)
		r = port_holder_find(t, b->port, b->now, &b->holder);
	for (size_t i = 0; !outcome && !r && i < b->n; i++) {
		struct claim_order *order = &b->orders[i];
		const struct claim_result *result = &order->result;

		r = claim_look_around(t, result, result->previous_port && b->port, b->now,
				      &order->around);
	}
	return r ? r : outcome;
}

int claim_make_all(struct tracker *t, struct claim_batch *b)
{
	int r = registry_begin(t->config.registry);

	if (!r)
		r = make_rows(t, b);
	for (size_t i = 0; !r && i < b->n; i++)
		r = settle(t, b, &b->orders[i]);
	return r < 0 ? r : look_around(t, b, r);
}

int claim_release(struct tracker *t, const struct service *s, const char *why,
		  const struct release_actor *actor, int64_t now)
{
	int r = release_claim(&t->activity, s->id, s->port, why, actor, now);

	if (!r)
		tracker_claim_changed(t, s->port);
	return r;
}
