/* SPDX-License-Identifier: MIT */
#include "checks/item.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/health_path.h"
#include "base/moment.h"
#include "base/text.h"
#include "checks/round.h"
#include "reconcile/belongs.h"
#include "registry/health.h"
#include "registry/runs.h"
#include "tracker/judge.h"
#include "tracker/tracker.h"

#define ROWS_OF_PORT_MAX 64 /* sockets of one port that are looked at; SO_REUSEPORT groups */
#define DISCARD_PORT	 9

/* --- what is known without asking --- */

static void know(struct health_item *item, const char *result, enum wellness wellness)
{
	item->known = true;
	item->result = result;
	item->wellness = wellness;
}

static char *details_of(struct health_item *item)
{
	return item->answer.details;
}

/* When the claim was last made: a service that came to life has touched updated_at since. */
static int64_t last_claimed(const struct service *s)
{
	return s->ever_active && s->created_at ? s->created_at : s->updated_at;
}

static const char *ago(int64_t now, int64_t at, char *ret)
{
	return duration_format_ago(now - at, ret);
}

static void know_claimed(struct health_item *item, const struct service *s, int64_t now)
{
	char age[16];

	snprintf(details_of(item), HEALTH_DETAILS_SIZE, "claimed %s ago, nothing listens yet",
		 ago(now, s->updated_at, age));
	know(item, "waiting", WELLNESS_ILL);
}

static void know_ghost(struct health_item *item, const struct service *s, int64_t now)
{
	char age[16];

	snprintf(details_of(item), HEALTH_DETAILS_SIZE, "nothing listens on %u since %s ago",
		 s->port, ago(now, s->updated_at, age));
	know(item, "ghost", WELLNESS_ILL);
}

/* What was there before is gone, and a run of it is still to listen. */
static void know_starting(struct health_item *item, const struct run *run, int64_t now)
{
	char age[16];

	snprintf(details_of(item), HEALTH_DETAILS_SIZE,
		 "its run began %s ago, nothing of it listens yet", ago(now, run->since, age));
	know(item, "waiting", WELLNESS_ILL);
}

static void know_stale(struct health_item *item, const struct service *s, int64_t now)
{
	char age[16];

	snprintf(details_of(item), HEALTH_DETAILS_SIZE, "%s %s ago, no heartbeat",
		 s->ever_active ? "last seen" : "claimed", ago(now, s->updated_at, age));
	know(item, "stale", WELLNESS_ILL);
}

/* --- listeners that are not this one's --- */

static void know_squatted(struct health_item *item, const struct status_verdict *verdict)
{
	snprintf(details_of(item), HEALTH_DETAILS_SIZE, "%s", verdict->reason);
	know(item, "squatted", WELLNESS_ILL);
}

struct elsewhere {
	const struct inventory *inventory;
	const struct service *service;
	struct health_item *item;
};

/* A process that fits the claim and serves on its port where we cannot connect to. */
static bool tell_of_elsewhere(const struct elsewhere *e, const struct socket_row *row)
{
	char comm[PROCESS_COMM_SIZE], escaped[4 * PROCESS_COMM_SIZE];

	for (size_t i = 0; i < row->n_holders; i++) {
		const struct process_id *id = &row->holders[i].id;
		const struct process *process = inventory_process(e->inventory, id);

		if (!process || !belongs_to_claim(e->service, process))
			continue;
		text_escape_terminal(inventory_process_name(e->inventory, id, comm), escaped,
				     sizeof(escaped));
		snprintf(details_of(e->item), HEALTH_DETAILS_SIZE,
			 "%s (%d) listens in another network namespace, net:[%u], which cannot be "
			 "reached from here",
			 escaped, id->pid, row->netns);
		know(e->item, "other_namespace", WELLNESS_ILL);
		return true;
	}
	return false;
}

static void look_elsewhere(struct health_item *item, const struct inventory *inv,
			   const struct service *s)
{
	const struct elsewhere e = { inv, s, item };
	const struct socket_row *rows[ROWS_OF_PORT_MAX];
	size_t n = inventory_by_port(inv, 0, s->port, rows, ARRAY_SIZE(rows));

	for (size_t i = 0; i < n && i < ARRAY_SIZE(rows); i++)
		if (rows[i]->netns != inventory_own_netns(inv) && socket_serves(rows[i]) &&
		    tell_of_elsewhere(&e, rows[i]))
			return;
}

/* --- where to connect --- */

/* Loopback first: it is what a check of this machine means; UDP last, which nobody can check. */
static int rank_of(const struct socket_row *row)
{
	bool v4 = row->family == AF_INET;

	if (row->state != SOCKET_LISTEN)
		return 0;
	if (net_addr_is_loopback(row->family, &row->addr))
		return v4 ? 5 : 4;
	if (net_addr_is_wildcard(row->family, &row->addr))
		return v4 ? 3 : 2;
	return 1;
}

/* Of the sockets that the deciding process serves with.  The others may be a squatter's. */
static const struct socket_row *choose_socket(const struct inventory *inv,
					      const struct status_verdict *verdict)
{
	const struct socket_row *rows[ROWS_OF_PORT_MAX], *best = verdict->socket;
	size_t n = inventory_by_port(inv, inventory_own_netns(inv), best->port, rows,
				     ARRAY_SIZE(rows));

	for (size_t i = 0; i < n && i < ARRAY_SIZE(rows); i++)
		if (socket_serves(rows[i]) && socket_holder(rows[i], &verdict->process) &&
		    rank_of(rows[i]) > rank_of(best))
			best = rows[i];
	return best;
}

/* Is there a ::1?  Connecting a UDP socket asks the routing table and sends nothing. */
static bool has_v6_loopback(void)
{
	const struct sockaddr_in6 to = { .sin6_family = AF_INET6,
					 .sin6_port = htons(DISCARD_PORT),
					 .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	_cleanup_close_ int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd >= 0 && !connect(fd, (const struct sockaddr *)&to, sizeof(to));
}

static void aim_at(struct health_target *t, const struct socket_row *row)
{
	static const struct net_addr v4_loopback = { .bytes = { 127, 0, 0, 1 } };
	static const struct net_addr v6_loopback = { .bytes = { [15] = 1 } };

	t->family = row->family;
	t->addr = row->addr;
	t->scope_id = row->family == AF_INET6 ? row->dev : 0;
	t->port = row->port;
	if (!net_addr_is_wildcard(row->family, &row->addr))
		return;
	t->scope_id = 0;
	t->addr = v6_loopback;
	if (row->family == AF_INET6 && (row->v6only || has_v6_loopback()))
		return;
	t->family = AF_INET;
	t->addr = v4_loopback;
}

static void name_host(struct health_item *item)
{
	const struct health_target *t = &item->target;
	bool v6 = t->family == AF_INET6;
	char address[NET_ADDR_STR_SIZE];

	net_addr_format(t->family, &t->addr, address);
	if (strcmp(address, "127.0.0.1") == 0 || strcmp(address, "::1") == 0)
		strcpy(item->host, "localhost");
	else
		snprintf(item->host, sizeof(item->host), "%s%s%s", v6 ? "[" : "", address,
			 v6 ? "]" : "");
	item->target.host = item->host;
}

/* What is asked for there. */
static void choose_path(struct health_item *item)
{
	struct health_path path = { .path = NULL };
	const char *why = NULL;

	item->target.scheme = HEALTH_TCP;
	if (!item->health_path)
		return;
	if (health_path_parse(item->health_path, &path, &why)) {
		snprintf(details_of(item), HEALTH_DETAILS_SIZE,
			 "its health path cannot be used: %s", why);
		know(item, health_result_name(HEALTH_FAILED), WELLNESS_ILL);
		return;
	}
	item->target.scheme = path.https ? HEALTH_HTTPS : HEALTH_HTTP;
	item->target.path = path.path;
}

static void aim(struct health_item *item, const struct inventory *inv,
		const struct status_verdict *verdict)
{
	const struct socket_row *row = choose_socket(inv, verdict);

	if (row->state != SOCKET_LISTEN) {
		snprintf(details_of(item), HEALTH_DETAILS_SIZE, "held by %d; not checked",
			 verdict->process.pid);
		know(item, "udp", WELLNESS_UNKNOWN);
		return;
	}
	aim_at(&item->target, row);
	name_host(item);
	choose_path(item);
	item->connects = !item->known;
}

/* --- the item --- */

static void copy_previous(const struct health_record *record, void *user_data)
{
	struct health_previous *p = user_data;

	*p = (struct health_previous){
		.known = true,
		.wellness = strcmp(record->result, health_result_name(HEALTH_OK)) == 0
				    ? WELLNESS_WELL
				    : WELLNESS_ILL,
		.http_status = record->http_status,
		.checked_at = record->checked_at,
		.elapsed_us = record->elapsed_us,
	};
	text_to_utf8(record->result, p->result, sizeof(p->result));
	if (strcmp(p->result, "udp") == 0)
		p->wellness = WELLNESS_UNKNOWN;
}

static int copy_service(struct health_item *item, const struct service *s)
{
	item->port = s->port;
	item->uid = s->uid;
	item->claimed_at = last_claimed(s);
	item->seen_at = s->updated_at;
	item->id = strdup(s->id);
	item->health_path = s->health_path ? strdup(s->health_path) : NULL;
	return item->id && (item->health_path || !s->health_path) ? 0 : -ENOMEM;
}

static void warn(struct health_item *item, const struct inventory *inv,
		 const struct status_verdict *verdict)
{
	if (verdict->status == SERVICE_ORPHANED)
		snprintf(item->warning, sizeof(item->warning), "orphaned: %s", verdict->reason);
	else
		judge_warning(inv, verdict, item->warning);
}

/* The server that Ctrl-Z stopped: the kernel would accept for it, and nobody would answer. */
static void know_stopped(struct health_item *item, const struct inventory *inv,
			 const struct process_id *id)
{
	judge_stopped_words(inv, id, details_of(item), HEALTH_DETAILS_SIZE);
	know(item, "stopped", WELLNESS_ILL);
}

/* Its process was killed, and the kernel is about to close the socket. */
static void know_ending(struct health_item *item)
{
	snprintf(details_of(item), HEALTH_DETAILS_SIZE, "its process has just ended");
	know(item, "ghost", WELLNESS_ILL);
}

static void judge_item(struct health_item *item, const struct checks *checks,
		       const struct service *s, const struct status_verdict *verdict, int64_t now)
{
	static void (*const silent[_SERVICE_STATUS_MAX])(struct health_item *,
							 const struct service *, int64_t) = {
		[SERVICE_CLAIMED] = know_claimed,
		[SERVICE_GHOST] = know_ghost,
		[SERVICE_STALE] = know_stale,
	};

	const struct run *run = registry_run_of_service(checks->registry, s->id, s->port);
	const struct inventory *inv = checks->inventory;

	item->status = verdict->status;
	if (verdict->status == SERVICE_SQUATTED) {
		know_squatted(item, verdict);
	} else if (verdict->ending) {
		know_ending(item);
	} else if (!silent[verdict->status] && judge_is_stopped(verdict)) {
		know_stopped(item, inv, &verdict->process);
	} else if (!silent[verdict->status]) {
		aim(item, inv, verdict);
		warn(item, inv, verdict);
	} else {
		if (verdict->status == SERVICE_GHOST && run && run->state == RUN_STARTING)
			know_starting(item, run, now);
		else
			silent[verdict->status](item, s, now);
		look_elsewhere(item, inv, s);
	}
}

int health_item_init(const struct checks *checks, const struct service *service, int64_t now,
		     struct health_item *ret)
{
	struct judgement judged = { 0 };
	int r;

	*ret = (struct health_item){ .checked_at = now };
	r = copy_service(ret, service);
	r = r ?: judge_claim(checks->inventory, service, now, JUDGE_VERIFIED, &judged);
	free(judged.holdings);
	if (r)
		return r;
	judge_item(ret, checks, service, &judged.verdict, now);
	r = registry_health_by_id(checks->registry, service->id, copy_previous, &ret->previous);
	/* the look at the holders saw more than the events had told */
	if (judged.verdict.status != service->status)
		tracker_status_differs(checks->tracker, service->port);
	return r < 0 ? r : 0;
}

void health_item_deinit(struct health_item *item)
{
	health_check_cancel(item->check);
	free(item->id);
	free(item->health_path);
}

void health_item_answer(struct health_item *item, const struct health_answer *answer, int64_t now)
{
	item->check = NULL;
	item->answer = *answer;
	item->target.scheme = answer->scheme;
	item->not_tried = answer->result == HEALTH_NOT_TRIED;
	item->was_asked = !item->not_tried;
	item->checked_at = now;
	know(item, health_result_name(answer->result),
	     answer->result == HEALTH_OK ? WELLNESS_WELL
	     : item->not_tried		 ? WELLNESS_UNKNOWN
					 : WELLNESS_ILL);
}

/* --- words --- */

char *health_item_url(const struct health_item *item, char ret[static HEALTH_URL_SIZE])
{
	ret[0] = '\0';
	if (item->target.path)
		snprintf(ret, HEALTH_URL_SIZE, "%s://%s:%u%s",
			 item->target.scheme == HEALTH_HTTPS ? "https" : "http", item->host,
			 item->port, item->target.path);
	return ret;
}

char *health_item_sentence(const struct health_item *item, char ret[static HEALTH_SENTENCE_SIZE])
{
	const struct health_answer *a = &item->answer;
	const char *verdict = item->wellness == WELLNESS_WELL ? "healthy" : "unhealthy";

	if (a->http_status)
		snprintf(ret, HEALTH_SENTENCE_SIZE, "%s: %d%s%s (%" PRIu64 "ms)", verdict,
			 a->http_status, *a->reason ? " " : "", a->reason, a->elapsed_us / 1000);
	else if (item->wellness == WELLNESS_WELL)
		snprintf(ret, HEALTH_SENTENCE_SIZE, "%s: port %u accepts connections", verdict,
			 item->port);
	else
		snprintf(ret, HEALTH_SENTENCE_SIZE, "%s: %s", verdict, a->details);
	return ret;
}
