/* SPDX-License-Identifier: MIT */
#include "tracker/history.h"

#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/identity.h"
#include "base/log.h"
#include "base/portset.h"
#include "base/procfs.h"
#include "base/quota.h"
#include "base/share.h"
#include "inventory/inventory.h"
#include "registry/history.h"
#include "registry/registry.h"
#include "registry/runs.h"
#include "tracker/internal.h"

#define WAITING_MAX	 256 /* 400 bytes each; then they are written at once, some 3 ms */
#define WRITTEN_AT_ONCE	 64  /* in a turn of the loop: a millisecond */
#define CHECKED_AT_ONCE	 16  /* ports, in a turn: likewise */
#define CHECKED_AT_START 512
#define ROWS_OF_PORT	 64
#define USERS_MAX	 16  /* whose shares are told apart; of more the least used is forgotten */
#define PRUNE_EVERY	 200 /* rows that are written, and dropped at most */

/* What happened to a socket, and is not written yet. */
struct waiting {
	uint64_t cookie;
	uint16_t port, asked_port;
	bool began; /* it needs a row; else the end alone is written */
	uint32_t netns;
	uint16_t protocol;
	uint8_t family;
	struct net_addr addr;
	struct process_id process;
	uid_t uid;
	int64_t since;
	struct history_end end;
	char comm[PROCESS_COMM_SIZE + 1];
	char service[IDENTITY_MAX + 1];
};

struct user {
	uid_t uid;
	struct share share;
};

struct history {
	struct inventory *inventory;
	struct activity_writer *activity;
	struct event *timer;
	struct waiting waiting[WAITING_MAX]; /* in order, from `first` on */
	size_t first, n;
	struct portset to_check;
	bool checks;
	int64_t started_at;
	int64_t gone_at; /* when what is found to be gone ended at the latest; 0 = now */
	struct share all;
	struct user users[USERS_MAX];
	uint64_t left_out;
	unsigned written_since_prune;
};

static struct waiting *at(struct history *h, size_t i)
{
	return &h->waiting[(h->first + i) % WAITING_MAX];
}

/* --- shares --- */

static struct user *user_of(struct history *h, uid_t uid)
{
	struct user *least = &h->users[0];

	for (size_t i = 0; i < USERS_MAX; i++) {
		if (h->users[i].uid == uid && h->users[i].share.at)
			return &h->users[i];
		if (h->users[i].share.used < least->share.used)
			least = &h->users[i];
	}
	*least = (struct user){ .uid = uid };
	return least;
}

static bool may_write(struct history *h, uid_t uid, int64_t now)
{
	const struct quota_limit *limit = quota_limit(QUOTA_HISTORY);
	struct user *user = user_of(h, uid);

	share_settle(&user->share, now, limit->per_user_s);
	share_settle(&h->all, now, limit->machine_s);
	if (!share_allows(&user->share, &h->all, (int64_t)limit->machine)) {
		h->left_out++;
		return false;
	}
	user->share.used++;
	h->all.used++;
	return true;
}

/* --- writing --- */

static int write_one(struct registry *registry, const struct waiting *w)
{
	char addr[NET_ADDR_STR_SIZE] = "";
	struct history_entry entry;

	if (!w->began)
		return registry_history_end(registry, w->port, w->cookie, &w->end);
	if (w->family)
		net_addr_format(w->family, &w->addr, addr);
	entry = (struct history_entry){
		.port = w->port,
		.asked_port = w->asked_port,
		.proto = net_protocol_name(w->protocol),
		.addr = addr,
		.netns = w->netns,
		.process = w->process,
		.comm = w->comm,
		.uid = w->uid,
		.service = w->service,
		.since = w->since,
		.end = w->end,
		.cookie = w->cookie,
	};
	return registry_history_add(registry, &entry);
}

static void prune_now_and_then(struct history *h, int64_t now)
{
	int r;

	if (h->written_since_prune < PRUNE_EVERY)
		return;
	h->written_since_prune = 0;
	r = registry_history_prune(h->activity->registry, now, PRUNE_EVERY);
	if (r)
		log_warning("old rows of the history were not pruned: %s",
			    registry_strerror(h->activity->registry, r));
}

/* What cannot be written is dropped.  0, negative error of the registry. */
static int write_some(struct history *h, size_t most)
{
	struct registry *registry = h->activity->registry;
	size_t n = h->n < most ? h->n : most;
	int r = n ? registry_begin(registry) : 0;

	for (size_t i = 0; !r && i < n; i++)
		r = write_one(registry, at(h, i));
	if (r)
		log_error("who had %zu ports was not written down: %s", n,
			  registry_strerror(registry, r));
	h->first = (h->first + n) % WAITING_MAX;
	h->n -= n;
	h->written_since_prune += (unsigned)n;
	if (n && !r)
		prune_now_and_then(h, time(NULL));
	if (n && registry_in_batch(registry))
		activity_commit_due(h->activity, false);
	return r;
}

static struct waiting *wait_for_write(struct history *h)
{
	struct waiting *w;

	if (h->n == WAITING_MAX)
		write_some(h, WAITING_MAX);
	w = at(h, h->n++);
	*w = (struct waiting){ 0 };
	timer_start(h->timer, HISTORY_DELAY_MS);
	return w;
}

/* --- what happens --- */

static void describe_holder(struct history *h, const struct socket_row *row, struct waiting *w)
{
	struct process known;

	w->process = row->binder;
	if (!w->process.pid && row->n_holders)
		w->process = row->holders[0].id;
	if (!w->process.pid || !inventory_describe(h->inventory, &w->process, &known))
		return;
	w->uid = known.uid;
	memcpy(w->comm, known.comm, sizeof(known.comm));
}

static uint16_t asked_port(struct history *h, const struct waiting *w, uint32_t run)
{
	if (!run || w->netns != inventory_own_netns(h->inventory))
		return 0;
	return registry_asked_port(h->activity->registry, run, w->protocol, w->port);
}

/* What is to be written; NULL where it was, or is not to be. */
static struct waiting *note_begin(struct history *h, const struct socket_row *row,
				  const char *service, int64_t since, int64_t now)
{
	struct waiting *w;

	if (row->recorded || row->binder.pid == getpid() || !may_write(h, row->uid, now))
		return NULL;
	w = wait_for_write(h);
	*w = (struct waiting){
		.cookie = row->cookie,
		.port = row->port,
		.began = true,
		.netns = row->netns,
		.protocol = row->protocol,
		.family = row->family,
		.addr = row->addr,
		.uid = row->uid,
		.since = since,
	};
	describe_holder(h, row, w);
	if (service)
		snprintf(w->service, sizeof(w->service), "%s", service);
	inventory_set_recorded(h->inventory, row->cookie);
	return w;
}

static void note_end(struct history *h, uint16_t port, uint64_t cookie,
		     const struct process_id *process, const struct history_end *end)
{
	struct waiting *w;

	for (size_t i = h->n; i > 0; i--) {
		w = at(h, i - 1);
		if (w->cookie == cookie && !w->end.at) {
			w->end = *end;
			return;
		}
	}
	w = wait_for_write(h);
	w->cookie = cookie;
	w->port = port;
	w->process = *process;
	w->end = *end;
}

static struct history_end end_of_status(int status, int64_t now)
{
	if (WIFSIGNALED(status))
		return (struct history_end){ now, HISTORY_SIGNAL, WTERMSIG(status) };
	return (struct history_end){ now, HISTORY_EXIT, WEXITSTATUS(status) };
}

void history_note_close(struct history *h, uint64_t cookie, int64_t now)
{
	const struct socket_row *row = inventory_by_cookie(h->inventory, cookie);
	struct history_end end = { now, HISTORY_CLOSED, 0 };

	if (!row || !row->recorded)
		return;
	if (row->left && !row->n_holders)
		end = end_of_status(row->left_status, now);
	else if (!row->n_holders)
		end.how = HISTORY_UNKNOWN; /* its process is gone, and nobody saw it go */
	note_end(h, row->port, cookie, &row->binder, &end);
}

/* Interpreters close what is open before they exit: that is how the program ended. */
static void note_exit(struct history *h, const struct event *event)
{
	for (size_t i = 0; i < h->n; i++) {
		struct waiting *w = at(h, i);

		if (w->end.how == HISTORY_CLOSED && process_id_equal(&w->process, &event->actor))
			w->end = end_of_status(event->exit_code, w->end.at);
	}
}

/* A UDP socket that was given its port asks somebody else; it serves nobody. */
static bool serves(struct history *h, const struct socket_row *row)
{
	if (!row || !socket_serves(row))
		return false;
	return row->protocol != IPPROTO_UDP || !inventory_port_is_reserved(h->inventory, row->port);
}

/* The table has forgotten who did it where the exit overtook the bind. */
static void name_actor(struct waiting *w, const struct event *event)
{
	if (w->process.pid)
		return;
	w->process = event->actor;
	w->uid = event->uid;
	memcpy(w->comm, event->comm, sizeof(event->comm));
}

void history_note_event(struct history *h, const struct event *event, const char *service,
			int64_t now)
{
	const struct socket_row *row;
	struct waiting *w;

	if (event->kind == EVENT_EXIT)
		note_exit(h, event);
	if (event->kind != EVENT_LISTEN && event->kind != EVENT_BIND)
		return;
	row = inventory_by_cookie(h->inventory, event->cookie);
	w = serves(h, row) ? note_begin(h, row, service, row->since, now) : NULL;
	if (!w)
		return;
	name_actor(w, event);
	w->asked_port = asked_port(h, w, event->named_run);
}

/* --- what no event tells --- */

struct service_id {
	char text[IDENTITY_MAX + 1];
};

static bool copy_id(const struct service *service, void *user_data)
{
	struct service_id *id = user_data;

	snprintf(id->text, sizeof(id->text), "%s", service->id);
	return false;
}

static const char *service_of(struct history *h, const struct socket_row *row,
			      struct service_id *ret)
{
	struct registry *registry = h->activity->registry;

	if (row->netns != inventory_own_netns(h->inventory) ||
	    !registry_port_may_be_claimed(registry, row->port) ||
	    registry_service_by_port(registry, row->port, copy_id, ret))
		return NULL;
	return ret->text;
}

/* Those of a port that are gone; inside of the visit nothing may be written. */
struct gone {
	struct history *h;
	size_t n;
	struct {
		uint64_t cookie;
		struct process_id process;
	} entries[ROWS_OF_PORT];
};

static bool compare(const struct history_entry *entry, void *user_data)
{
	struct gone *gone = user_data;
	const struct socket_row *row = inventory_by_cookie(gone->h->inventory, entry->cookie);

	if (row && row->port == entry->port) {
		inventory_set_recorded(gone->h->inventory, entry->cookie);
	} else {
		gone->entries[gone->n].cookie = entry->cookie;
		gone->entries[gone->n++].process = entry->process;
	}
	return gone->n < ROWS_OF_PORT;
}

static void check(struct history *h, uint16_t port, int64_t now)
{
	const struct socket_row *rows[ROWS_OF_PORT];
	struct gone gone = { .h = h };
	struct service_id id;
	struct waiting *w;
	size_t n;
	int r = registry_for_each_open_history(h->activity->registry, port, compare, &gone);

	if (r)
		log_error("the history of port %u was not read: %s", port,
			  registry_strerror(h->activity->registry, r));
	for (size_t i = 0; i < gone.n; i++) {
		bool lives = procfs_alive(&gone.entries[i].process);
		const struct history_end end = { h->gone_at ? h->gone_at : now,
						 lives ? HISTORY_CLOSED : HISTORY_UNKNOWN, 0 };

		note_end(h, port, gone.entries[i].cookie, &gone.entries[i].process, &end);
	}
	/* the others are found once these are written */
	if (gone.n == ROWS_OF_PORT && write_some(h, WAITING_MAX) == 0)
		history_check_port(h, port);
	n = inventory_by_port(h->inventory, 0, port, rows, ROWS_OF_PORT);
	for (size_t i = 0; i < n && i < ROWS_OF_PORT; i++) {
		int64_t seen = rows[i]->seen > h->started_at ? rows[i]->seen : 0;

		if (!serves(h, rows[i]))
			continue;
		w = note_begin(h, rows[i], service_of(h, rows[i], &id),
			       rows[i]->since ? rows[i]->since : seen, now);
		if (w)
			w->asked_port = asked_port(h, w,
						   inventory_run_of(h->inventory, &w->process));
	}
}

static void check_some(struct history *h, unsigned most)
{
	int64_t now = time(NULL);
	size_t port = 0;

	/* half of a table says neither who is gone nor whose a socket is */
	while (h->checks && !inventory_is_resyncing(h->inventory) && most-- > 0) {
		port = portset_next(&h->to_check, port);
		if (port == PORTSET_END) {
			h->checks = portset_next(&h->to_check, 0) != PORTSET_END;
			if (!h->checks)
				h->gone_at = 0;
			break;
		}
		portset_remove(&h->to_check, (uint16_t)port);
		check(h, (uint16_t)port, now);
		port++; /* one that has more of them has its turn after the others */
	}
}

void history_check_port(struct history *h, uint16_t port)
{
	portset_add(&h->to_check, port);
	h->checks = true;
	timer_start(h->timer, HISTORY_DELAY_MS);
}

static void check_open_port(uint16_t port, void *user_data)
{
	history_check_port(user_data, port);
}

void history_start(struct history *h, int64_t last_alive, int64_t now)
{
	struct registry *registry = h->activity->registry;
	int r = registry_begin(registry);

	h->started_at = now;
	h->gone_at = last_alive;
	if (!r)
		r = registry_history_end_other_boots(registry, last_alive ? last_alive : now);
	if (!r)
		r = registry_for_each_open_history_port(registry, check_open_port, h);
	if (r)
		log_error("the history of ports was not read: %s", registry_strerror(registry, r));
	check_some(h, CHECKED_AT_START);
}

/* --- when --- */

static void on_timer(evutil_socket_t fd, short what, void *user_data)
{
	struct history *h = user_data;

	check_some(h, CHECKED_AT_ONCE);
	write_some(h, WRITTEN_AT_ONCE);
	if (h->n || h->checks)
		timer_start(h->timer, inventory_is_resyncing(h->inventory) ? HISTORY_DELAY_MS : 0);
}

void history_write(struct history *h)
{
	check_some(h, CHECKED_AT_ONCE);
	write_some(h, WAITING_MAX);
}

uint64_t history_left_out(const struct history *h)
{
	return h->left_out;
}

/* --- lifecycle --- */

int history_new(struct event_base *loop, struct inventory *inventory,
		struct activity_writer *activity, struct history **ret)
{
	struct history *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	h->inventory = inventory;
	h->activity = activity;
	h->timer = evtimer_new(loop, on_timer, h);
	if (!h->timer) {
		free(h);
		return -ENOMEM;
	}
	*ret = h;
	return 0;
}

void history_free(struct history *h)
{
	if (!h)
		return;
	event_free(h->timer);
	free(h);
}
