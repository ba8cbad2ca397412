/* SPDX-License-Identifier: MIT */
/* GET /v1/services: claims, judged anew from the sockets as they are now, and orphans: pd find. */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "api/held.h"
#include "api/match.h"
#include "api/routes.h"
#include "api/search.h"
#include "api/state.h"
#include "base/health_path.h"
#include "base/run.h"
#include "explain/two_servers.h"
#include "http/page.h"
#include "http/parts.h"
#include "registry/runs.h"
#include "runs/protection.h"
#include "tracker/claim_walk.h"
#include "tracker/judge.h"
#include "tracker/socket_walk.h"
#include "view/view.h"

/* Claims judged for one page, where a status is asked for that few have; 2 us each. */
#define JUDGED_MAX    (4 * PAGE_MAX_ROWS)
#define ORPHAN_STATUS "orphan" /* of ?status=, beside the statuses of a claim */
#define URL_SIZE      sizeof("https://localhost:65535")

struct question {
	const char *pattern;
	uint16_t port;
	const char *status_name; /* NULL = all */
	bool brief;
	struct page page;

	char id[IDENTITY_MAX + 1]; /* that a pattern without wildcards means */
	struct service_filter filter;
	bool claims, orphans;
	/* where the page begins: behind this claim, or behind this orphan when all claims are
	 * through */
	char after[IDENTITY_MAX + 1];
	bool claims_are_through;
	uint16_t after_port;
	uint64_t after_cookie;
};

ROUTE(services_get, GET, "/v1/services", struct question,
      PARAM_PATTERN("pattern", struct question, pattern), PARAM_PORT("port", struct question, port),
      PARAM_TEXT("status", struct question, status_name),
      PARAM_NO("details", struct question, brief),
      PARAM_PAGE(struct question, page, PAGE_MAX_ROWS));

/* --- one claim --- */

/* The id of the newest of its runs; NULL where there is none. */
static const char *run_of(const struct service *s, char ret[RUN_ID_SIZE])
{
	return s->runs ? run_id_format(s->runs->number, ret) : NULL;
}

/* What stands in the source of the program that its run gives the port; 0 = nothing. */
static uint16_t asked_port(const struct service *s, const struct judgement *now)
{
	bool of_run = s->runs && now->verdict.status != SERVICE_SQUATTED;

	return of_run ? run_asked_port(s->runs, s->port) : 0;
}

/* A run whose pd was killed goes on, and nobody ends it by itself. */
static bool is_unattended(const struct service *s, const struct judgement *now)
{
	return s->runs && s->runs->state == RUN_UNATTENDED &&
	       now->verdict.status == SERVICE_ORPHANED;
}

/* Its server is there, and does nothing. */
static bool is_stopped(const struct judgement *now)
{
	return now->verdict.status != SERVICE_SQUATTED && judge_is_stopped(&now->verdict);
}

static const char *warning_of(const struct inventory *inv, const struct service *s,
			      const struct judgement *now, bool stopped,
			      char ret[TWO_SERVERS_WARNING_SIZE])
{
	if (is_unattended(s, now))
		snprintf(ret, TWO_SERVERS_WARNING_SIZE,
			 "the pd that ran %s (pid %d) is gone; pd stop %s ends what it left", s->id,
			 s->runs->pd.pid, s->id);
	else if (stopped)
		judge_stopped_words(inv, &now->verdict.process, ret, TWO_SERVERS_WARNING_SIZE);
	else if (!two_servers_warning(inv, inventory_own_netns(inv), IPPROTO_TCP, s->port, ret))
		judge_warning(inv, &now->verdict, ret);
	return ret;
}

/* It is protected, and the kernel refuses it to nobody. */
static bool is_promise_lost(const struct request *r, const struct service *s)
{
	return s->is_protected && !protection_holds(r->api->protection, s->port);
}

/*
 * What a line of a table shows, and of that only what is known: of 50,000 services few have a
 * process, and each member costs both sides more than finding its value.
 */
static int write_service_briefly(struct request *r, const struct service *s,
				 const struct judgement *now)
{
	const struct inventory *inv = r->api->config.inventory;
	char comm[PROCESS_COMM_SIZE], warning[TWO_SERVERS_WARNING_SIZE], run[RUN_ID_SIZE];
	char id[IDENTITY_MAX + 1];

	written_object_begin(r);
	written_text(r, "id", match_shown_id(r, s->id, s->uid, id));
	written_int(r, "port", s->port);
	if (asked_port(s, now))
		written_int(r, "askedPort", asked_port(s, now));
	written_text(r, "status", judge_status_name(&now->verdict));
	if (s->uid != r->uid)
		written_text(r, "user", user_name(s->uid));
	written_int(r, "createdAt", s->created_at);
	if (s->is_protected)
		written_bool(r, "protected", true);
	if (is_promise_lost(r, s))
		written_bool(r, "protectionLost", true);
	if (s->runs)
		written_text(r, "run", run_of(s, run));
	if (is_unattended(s, now))
		written_bool(r, "unattended", true);
	if (now->n_holdings) {
		bool stopped = is_stopped(now);

		written_ints(r, "pids", now->n_holdings, view_pid_of_holding, now->holdings);
		written_text(r, "process", judge_deciding_name(inv, now, comm));
		if (stopped)
			written_bool(r, "stopped", true);
		written_text(r, "warning", warning_of(inv, s, now, stopped, warning));
	}
	return written_object_end(r);
}

/* Where a browser finds it; over TLS where its health path says so. */
static const char *url_of(const struct service *s, char ret[static URL_SIZE])
{
	struct health_path path = { .https = false };

	if (s->health_path)
		health_path_parse(s->health_path, &path, NULL);
	snprintf(ret, URL_SIZE, "%s://localhost:%u", path.https ? "https" : "http", s->port);
	return ret;
}

static struct json_object *service_view(struct request *r, const struct service *s,
					const struct judgement *now)
{
	struct api *api = r->api;
	struct json_object *o = json_object_new_object();
	char comm[PROCESS_COMM_SIZE], warning[TWO_SERVERS_WARNING_SIZE], run[RUN_ID_SIZE];
	char url[URL_SIZE];
	char id[IDENTITY_MAX + 1];
	bool stopped = is_stopped(now);

	json_add_text(o, "id", match_shown_id(r, s->id, s->uid, id));
	json_add_int(o, "port", s->port);
	json_add_known(o, "askedPort", asked_port(s, now));
	json_add_text(o, "status", judge_status_name(&now->verdict));
	json_add(o, "pids", view_pids(now->holdings, now->n_holdings));
	json_add_text(o, "process", judge_deciding_name(api->config.inventory, now, comm));
	json_add_int(o, "createdAt", s->created_at);
	json_add_int(o, "updatedAt", s->updated_at);
	json_add_known(o, "expiresAt", s->expires_at);
	json_add_text(o, "healthPath", s->health_path);
	json_add_text(o, "url", url_of(s, url));
	json_add_text(o, "user", user_name(s->uid));
	json_add_text(o, "cwd", user_may_see(r->uid, s->uid) ? s->cwd : NULL);
	json_add_bool(o, "protected", s->is_protected);
	json_add_bool(o, "protectionLost", is_promise_lost(r, s));
	json_add_text(o, "run", run_of(s, run));
	json_add_bool(o, "unattended", is_unattended(s, now));
	json_add_bool(o, "stopped", stopped);
	json_add_text(o, "reason", now->verdict.reason);
	json_add_text(o, "warning", warning_of(api->config.inventory, s, now, stopped, warning));
	return o;
}

static int add_service(struct request *r, const struct service *s, const struct question *q)
{
	const struct api_config *config = &r->api->config;
	struct judgement now = { 0 };
	int fault = judge_claim(config->inventory, s, r->now, JUDGE_VERIFIED, &now);

	if (fault)
		return fault;
	if (!q->status_name || strcmp(q->status_name, judge_status_name(&now.verdict)) == 0)
		fault = q->brief ? write_service_briefly(r, s, &now)
				 : written_list_add(r, service_view(r, s, &now));
	free(now.holdings);
	/* the look at the holders saw more than the events had told: let the tracker know */
	if (now.verdict.status != s->status)
		tracker_claim_changed(config->tracker, s->port);
	return fault;
}

/* --- orphans --- */

static int write_orphan(struct request *r, const struct socket_row *row, enum orphan_reason reason,
			struct port_warning *warning)
{
	const struct inventory *inv = r->api->config.inventory;
	char addr[NET_ADDR_STR_SIZE];

	written_object_begin(r);
	written_int(r, "port", row->port);
	written_text(r, "proto", net_protocol_name(row->protocol));
	written_text(r, "addr", net_addr_format(row->family, &row->addr, addr));
	held_write(r, row);
	written_text(r, "user", user_name(row->uid));
	written_known(r, "since", row->since);
	written_text(r, "reason", orphan_reason_text(reason));
	written_text(r, "warning", two_servers_warning_of_row(warning, inv, row));
	return written_object_end(r);
}

/* --- GET /v1/services --- */

static int bad_status(struct request *r, const char *text)
{
	char names[128] = "";
	size_t used = 0;

	for (int s = 0; s < _SERVICE_STATUS_MAX && used < sizeof(names); s++)
		used += snprintf(names + used, sizeof(names) - used, "%s, ",
				 service_status_name((enum service_status)s));
	return request_fail(r, OUTCOME_BAD_REQUEST,
			    "status \"%.32s\" is none of: %s" JUDGE_STATUS_ENDING
			    ", " ORPHAN_STATUS,
			    text, names);
}

/* "shop:web" is behind a claim, ":3000.17" behind an orphan: no name begins so. */
static int read_cursor(struct request *r, struct question *q)
{
	const char *after = q->page.after;

	page_begin(&q->page, q->brief ? PAGE_BRIEF_ROWS : PAGE_MAX_ROWS);
	if (!after)
		return 0;
	q->claims_are_through = *after == ':';
	if (q->claims_are_through)
		return page_after_socket(r, &q->page, &q->after_port, &q->after_cookie);
	if (strlen(after) > IDENTITY_MAX)
		return page_bad_cursor(r, &q->page);
	strcpy(q->after, after);
	return 0;
}

static int read_status(struct request *r, struct question *q)
{
	const char *name = q->status_name;

	q->claims = !name || strcmp(name, ORPHAN_STATUS) != 0;
	/* an orphan has no name that a pattern could fit */
	q->orphans = !q->pattern && (!name || !q->claims);
	if (!name || !q->claims || strcmp(name, JUDGE_STATUS_ENDING) == 0)
		return 0;
	return service_status_of_name(name) < 0 ? bad_status(r, name) : 0;
}

/* Claims behind q->after, which then names the last that was looked at; 1 when some are left. */
static int add_services(struct request *r, struct question *q)
{
	_cleanup_(claim_walk_deinit) struct claim_walk walk = {
		.inventory = r->api->config.inventory,
		.registry = r->api->config.registry,
		.filter = q->filter,
	};

	walk.filter.after = memcpy(walk.last, q->after, sizeof(walk.last));
	for (int judged = 0; judged < JUDGED_MAX; judged++) {
		const struct service *s;
		int fault = claim_walk_next(&walk, &s);

		if (fault || !s)
			return fault;
		if (page_is_full(r, &q->page))
			return 1;
		fault = add_service(r, s, q);
		if (fault)
			return fault;
		snprintf(q->after, sizeof(q->after), "%s", s->id);
	}
	return 1;
}

/* Sets claims_are_through, or leaves q->after where the next page begins. */
static int list_services(struct request *r, struct question *q)
{
	int more = written_list_begin(r, "services");

	if (!more && q->claims && !q->claims_are_through)
		more = add_services(r, q);
	q->claims_are_through = more != 1;
	return more < 0 ? more : written_list_end(r);
}

/* The orphan rows behind the place of the walk.  1 when some are left for the next page. */
static int add_orphans(struct request *r, const struct question *q, struct socket_walk *walk)
{
	struct port_warning warning = { 0 };

	for (int looked_at = 0; looked_at < JUDGED_MAX; looked_at++) {
		struct inventory_place before = walk->place;
		const struct socket_row *row;
		int fault = socket_walk_next(walk, &row);
		int reason;

		if (fault || !row)
			return fault;
		reason = judge_socket(walk->inv, r->api->config.registry, row);
		if (reason == ORPHAN_NOT)
			continue;
		if (reason < 0)
			return reason;
		if (page_is_full(r, &q->page)) {
			walk->place = before;
			return 1;
		}
		fault = write_orphan(r, row, (enum orphan_reason)reason, &warning);
		if (fault)
			return fault;
	}
	return 1;
}

/* ret_next: the cursor, or "". */
static int list_orphans(struct request *r, const struct question *q,
			char ret_next[PAGE_SOCKET_SIZE + 1])
{
	struct inventory *inv = r->api->config.inventory;
	struct socket_walk walk = {
		.inv = inv,
		.netns = inventory_own_netns(inv),
		.port = q->filter.port,
		.place = { q->after_port, q->after_cookie },
	};
	int more = written_list_begin(r, "orphans");

	*ret_next = '\0';
	if (!more && q->orphans && q->claims_are_through)
		more = add_orphans(r, q, &walk);
	if (more < 0)
		return more;
	if (more) {
		*ret_next = ':';
		page_socket(walk.place.port, walk.place.cookie, ret_next + 1);
	}
	return written_list_end(r);
}

static int answer(struct request *r, int error)
{
	struct question *q = r->params;
	char next[PAGE_SOCKET_SIZE + 1];
	int fault = error ? error : read_cursor(r, q);

	q->filter = (struct service_filter){ .pattern = q->pattern, .port = q->port, .status = -1 };
	if (!fault && q->pattern)
		fault = match_meant(r, &q->filter.pattern, q->id);
	if (!fault)
		fault = read_status(r, q);
	if (!fault)
		fault = list_services(r, q);
	if (!fault)
		fault = list_orphans(r, q, next);
	return fault ? fault : page_end(r, q->claims_are_through ? next : q->after);
}

static int search(struct request *r, bool *ret_more)
{
	const struct question *q = r->params;

	return q->page.after ? 0 : search_port(r, q->port, ret_more);
}

static int handle(struct request *r)
{
	static const struct parts_calls calls = { search, answer };

	return parts_run(r, &calls);
}
