/* SPDX-License-Identifier: MIT */
#include <netinet/in.h>

#include "reconcile/status.h"
#include "testing.h"
#include "unit/random.h"

#define ME	100
#define OTHER	33
#define NOW	1000000
#define STALE_S 1800

#define WORLDS	    30000
#define PROCESSES   8
#define SOCKETS	    4
#define MAX_HOLDERS 3

struct random_world {
	struct process processes[PROCESSES];
	size_t n_known; /* the rest exists, and nobody described it */
	struct service claim;
	struct socket_row sockets[SOCKETS];
	struct holder holders[SOCKETS][MAX_HOLDERS];
	size_t n_sockets;
};

static const char *const directories[] = { "", "/", "/work", "/work/sub", "/workshop", "/home/me" };

static const struct process *look_up_random(const struct process_id *id, void *user_data)
{
	const struct random_world *w = user_data;

	for (size_t i = 0; i < w->n_known; i++)
		if (process_id_equal(&w->processes[i].id, id))
			return &w->processes[i];
	return NULL;
}

static void fill_process(struct random_source *r, struct random_world *w, size_t i)
{
	struct process *p = &w->processes[i];

	/* few pids and start times, so that pids are reused */
	p->id = (struct process_id){ 1 + (pid_t)random_below(r, 6), i + 1 };
	p->uid = random_below(r, 3) ? ME : OTHER;
	p->sid = (pid_t)random_below(r, 4);
	snprintf(p->comm, sizeof(p->comm), "p%zu", i);
	strcpy(p->cwd, directories[random_below(r, ARRAY_SIZE(directories))]);
	if (i > 0 && random_below(r, 2)) {
		p->n_ancestors = 1;
		p->ancestors[0].id = w->processes[random_below(r, (unsigned)i)].id;
	}
}

static void fill_socket(struct random_source *r, struct random_world *w, size_t i)
{
	static const enum socket_state states[] = { SOCKET_LISTEN, SOCKET_LISTEN, SOCKET_LISTEN,
						    SOCKET_BOUND, SOCKET_TIME_WAIT };
	struct socket_row *row = &w->sockets[i];

	row->protocol = random_below(r, 4) ? IPPROTO_TCP : IPPROTO_UDP;
	row->state = states[random_below(r, ARRAY_SIZE(states))];
	row->uid = random_below(r, 3) ? ME : OTHER;
	row->holders = w->holders[i];
	row->n_holders = random_below(r, MAX_HOLDERS + 1);
	for (size_t h = 0; h < row->n_holders; h++)
		row->holders[h].id = w->processes[random_below(r, PROCESSES)].id;
	if (random_below(r, 3))
		row->binder = w->processes[random_below(r, PROCESSES)].id;
	row->binder_sid = (pid_t)random_below(r, 4);
	row->binder_fate = (enum binder_fate)random_below(r, 4);
}

static void fill_world(struct random_source *r, struct random_world *w)
{
	memset(w, 0, sizeof(*w));
	for (size_t i = 0; i < PROCESSES; i++)
		fill_process(r, w, i);
	w->n_known = random_below(r, 4) ? PROCESSES : random_below(r, PROCESSES);
	w->claim = (struct service){ .id = "a",
				     .port = 3100,
				     .uid = ME,
				     .cwd = directories[random_below(r, ARRAY_SIZE(directories))],
				     .sid = (pid_t)random_below(r, 4),
				     .same_boot = random_below(r, 2),
				     .ever_active = random_below(r, 2),
				     .updated_at = NOW - random_below(r, 2 * STALE_S) };
	if (random_below(r, 2))
		w->claim.claimer = w->processes[random_below(r, PROCESSES)].id;
	w->n_sockets = random_below(r, SOCKETS + 1);
	for (size_t i = 0; i < w->n_sockets; i++)
		fill_socket(r, w, i);
}

/* The contract's sentences again, said as sets instead of as steps. */
static bool says_fits(const struct service *c, const struct process *p)
{
	bool can_descend = c->same_boot && c->claimer.pid;
	bool can_share = c->same_boot && c->sid && p->sid;
	bool can_live = c->cwd[0] && p->cwd[0];
	bool is_claimer = can_descend && process_id_equal(&p->id, &c->claimer);
	bool descends = can_descend && p->n_ancestors &&
			process_id_equal(&p->ancestors[0].id, &c->claimer);
	char below[64];

	snprintf(below, sizeof(below), "%s/", strcmp(c->cwd, "/") ? c->cwd : "");
	if (p->uid != c->uid)
		return false;
	if (is_claimer || descends || (can_share && c->sid == p->sid))
		return true;
	if (can_live && (!strcmp(p->cwd, c->cwd) || !strncmp(p->cwd, below, strlen(below))))
		return true;
	return !(can_descend && p->n_ancestors) && !can_share && !can_live;
}

static struct process says_process(const struct random_world *w, const struct socket_row *row,
				   size_t holder)
{
	const struct process *p = look_up_random(&row->holders[holder].id, (void *)w);

	return p ? *p : (struct process){ .id = row->holders[holder].id, .uid = row->uid };
}

static enum service_status says_socket(const struct random_world *w, const struct socket_row *row)
{
	bool binder_holds = false, any_fits = false, leads_own = false;
	const struct process *inheritor = NULL;
	struct process holders[MAX_HOLDERS];
	bool gone;

	for (size_t i = 0; i < row->n_holders; i++) {
		holders[i] = says_process(w, row, i);
		binder_holds |= process_id_equal(&holders[i].id, &row->binder);
		any_fits |= says_fits(&w->claim, &holders[i]);
		if (!inheritor && holders[i].uid == w->claim.uid)
			inheritor = &holders[i];
	}
	gone = row->binder.pid && row->binder_fate != BINDER_ALIVE && !binder_holds;
	if (row->n_holders == 0 && row->uid != w->claim.uid)
		return SERVICE_SQUATTED;
	if (row->n_holders == 0)
		return gone ? SERVICE_ORPHANED : SERVICE_ACTIVE;
	if (!gone)
		return any_fits ? SERVICE_ACTIVE : SERVICE_SQUATTED;
	if (!inheritor)
		return SERVICE_SQUATTED;
	leads_own = inheritor->sid && (row->binder_sid ? inheritor->sid != row->binder_sid
						       : inheritor->sid == inheritor->id.pid);
	return leads_own && row->binder_fate == BINDER_EXITED_WELL ? SERVICE_ACTIVE
								   : SERVICE_ORPHANED;
}

static enum service_status says_world(const struct random_world *w)
{
	bool seen[_SERVICE_STATUS_MAX] = { false };

	for (size_t i = 0; i < w->n_sockets; i++)
		if (socket_serves(&w->sockets[i]))
			seen[says_socket(w, &w->sockets[i])] = true;
	if (seen[SERVICE_ACTIVE])
		return SERVICE_ACTIVE;
	if (seen[SERVICE_ORPHANED])
		return SERVICE_ORPHANED;
	if (seen[SERVICE_SQUATTED])
		return SERVICE_SQUATTED;
	if (NOW - w->claim.updated_at >= STALE_S)
		return SERVICE_STALE;
	return w->claim.ever_active ? SERVICE_GHOST : SERVICE_CLAIMED;
}

static void check_shape(const struct random_world *w, const struct status_verdict *v)
{
	bool held = false;

	assert_true(strlen(v->reason) > 0);
	if (!v->socket) {
		assert_int_equal(v->process.pid, 0);
		return;
	}
	assert_true(v->socket >= w->sockets && v->socket < w->sockets + w->n_sockets);
	assert_true(socket_serves(v->socket));
	for (size_t i = 0; i < v->socket->n_holders; i++)
		held |= process_id_equal(&v->socket->holders[i].id, &v->process);
	assert_int_equal(held, v->socket->n_holders > 0);
}

static enum service_status judge(const struct random_world *w, const struct socket_row *const *rows,
				 struct status_verdict *ret)
{
	const struct status_sources sources = { look_up_random, NULL, (void *)w };

	reconcile_service(&w->claim, rows, w->n_sockets, &sources, NOW, STALE_S, ret);
	return ret->status;
}

TEST(random_worlds_are_judged_as_the_contract_says)
{
	struct random_source r = random_start(__func__);
	int seen[_SERVICE_STATUS_MAX] = { 0 };

	for (int i = 0; i < WORLDS; i++) {
		const struct socket_row *rows[SOCKETS];
		struct status_verdict v;
		struct random_world w;

		fill_world(&r, &w);
		for (size_t s = 0; s < w.n_sockets; s++)
			rows[s] = &w.sockets[s];
		if (judge(&w, rows, &v) != says_world(&w))
			print_error("world %d: %s\n", i, v.reason);
		assert_int_equal(v.status, says_world(&w));
		check_shape(&w, &v);
		seen[v.status]++;
	}
	for (int s = 0; s < _SERVICE_STATUS_MAX; s++)
		assert_true(seen[s] > WORLDS / 100); /* the worlds are rich enough */
}

TEST(the_order_of_sockets_does_not_matter)
{
	struct random_source r = random_start(__func__);

	for (int i = 0; i < WORLDS / 10; i++) {
		const struct socket_row *rows[SOCKETS], *reversed[SOCKETS];
		struct status_verdict v;
		struct random_world w;

		fill_world(&r, &w);
		for (size_t s = 0; s < w.n_sockets; s++)
			rows[s] = reversed[w.n_sockets - 1 - s] = &w.sockets[s];
		assert_int_equal(judge(&w, rows, &v), judge(&w, reversed, &v));
	}
}

TEST_MAIN(NULL, NULL)
