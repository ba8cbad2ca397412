/* SPDX-License-Identifier: MIT */
/* GET /v1/services: claims, judged anew from the sockets as they are now, and orphans: pd find. */
#include <stdio.h>
#include <string.h>

#include "api/match.h"
#include "api/routes.h"
#include "api/search.h"
#include "api/state.h"
#include "base/cleanup.h"
#include "http/page.h"
#include "http/parts.h"
#include "runs/protection.h"
#include "tracker/claim_walk.h"
#include "tracker/found_claim.h"
#include "tracker/socket_walk.h"
#include "view/claim.h"

/* Claims judged for one page, where a status is asked for that few have; 2 us each. */
#define JUDGED_MAX    (4 * PAGE_MAX_ROWS)
#define ORPHAN_STATUS "orphan" /* of ?status=, beside the statuses of a claim */

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

/* --- claims --- */

static int write_claim(struct request *r, const struct found_claim *found, bool brief)
{
	const struct service *s = found->service;
	const struct api *api = r->api;
	char id[IDENTITY_MAX + 1];
	const struct view_claim claim = {
		.found = found,
		.shown_id = match_shown_id(r, s->id, s->uid, id),
		.protection_lost = s->is_protected && !protection_holds(api->protection, s->port),
		.viewer = r->uid,
	};

	return brief ? view_claim_briefly(&r->written, &claim)
		     : written_list_add(r, view_claim(&claim));
}

static int add_service(struct request *r, const struct service *s, const struct question *q)
{
	const struct api_config *config = &r->api->config;
	_cleanup_(found_claim_deinit) struct found_claim found;
	int fault = found_claim_read(config->inventory, s, r->now, q->status_name, &found);

	if (fault < 0)
		return fault;
	fault = fault ?: write_claim(r, &found, q->brief);
	/* the look at the holders saw more than the events had told */
	if (found.now.verdict.status != s->status)
		tracker_status_differs(config->tracker, s->port);
	return fault < 0 ? fault : 0;
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
		struct found_orphan orphan;
		int fault = socket_walk_next(walk, &row);

		if (fault || !row)
			return fault;
		fault = found_orphan_read(walk->inv, r->api->config.registry, row, &warning,
					  &orphan);
		if (fault == OUTCOME_NO)
			continue;
		if (fault)
			return fault;
		if (page_is_full(r, &q->page)) {
			walk->place = before;
			return 1;
		}
		fault = view_orphan(&r->written, &orphan);
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

/* What was meant by a name that nobody has claimed. */
static int add_near(struct request *r, const struct question *q)
{
	char id[IDENTITY_MAX + 1];

	if (!q->pattern || q->status_name || q->page.after || written_rows(&r->written))
		return 0;
	return written_member(r, "near", json_text(match_near(r, q->pattern, id)));
}

static int answer(struct request *r, int error)
{
	struct question *q = r->params;
	char next[PAGE_SOCKET_SIZE + 1];
	int fault = error ? error : read_cursor(r, q);

	q->filter = (struct service_filter){ .pattern = q->pattern, .port = q->port, .status = -1 };
	if (!fault && q->pattern)
		fault = match_meant(r, &q->filter.pattern, q->id);
	fault = fault ?: read_status(r, q);
	fault = fault ?: list_services(r, q);
	fault = fault ?: list_orphans(r, q, next);
	fault = fault ?: add_near(r, q);
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
