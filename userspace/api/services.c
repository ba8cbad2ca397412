/* SPDX-License-Identifier: MIT */
#include "api/services.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "api/page.h"
#include "api/routes.h"
#include "api/server.h"
#include "api/view.h"
#include "explain/brief.h"

/* Claims copied at a time: what is looked up for each would disturb the registry's cursor. */
#define CHUNK_SERVICES PAGE_MAX_ROWS
/* Claims judged for one page, where a status is asked for that few have; 2 us each. */
#define JUDGED_MAX    (4 * PAGE_MAX_ROWS)
#define ORPHAN_STATUS "orphan" /* of ?status=, beside the statuses of a claim */

static const struct port_range range_of_services = { PORT_RANGE_FIRST, PORT_RANGE_LAST };

/* --- copies --- */

static void service_free(struct service *s)
{
	free((char *)s->id);
	free((char *)s->cwd);
	free((char *)s->health_path);
}

void service_list_free(struct service_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		service_free(&list->services[i]);
	free(list->services);
	*list = (struct service_list){ 0 };
}

static bool grow(struct service_list *list)
{
	size_t size = list->size ? 2 * list->size : 32;
	struct service *services = reallocarray(list->services, size, sizeof(*services));

	if (!services)
		return false;
	list->services = services;
	list->size = size;
	return true;
}

bool service_list_add(const struct service *service, void *user_data)
{
	struct service_list *list = user_data;
	struct service copy = *service;

	copy.id = strdup(service->id);
	copy.cwd = strdup(service->cwd ? service->cwd : "");
	copy.health_path = service->health_path ? strdup(service->health_path) : NULL;
	if (!copy.id || !copy.cwd || (service->health_path && !copy.health_path) ||
	    (list->n == list->size && !grow(list))) {
		service_free(&copy);
		list->no_memory = true;
		return false;
	}
	list->services[list->n++] = copy;
	return true;
}

/* --- judged now --- */

static const struct process *look_up(const struct process_id *id, void *user_data)
{
	return inventory_process(user_data, id);
}

int service_judge(struct api *api, const struct service *service, int64_t now,
		  struct service_now *ret)
{
	struct inventory *inv = api->config.inventory;
	_cleanup_free_ const struct socket_row **rows = NULL;
	size_t n;
	int r = inventory_verified_rows(inv, inventory_own_netns(inv), service->port, &rows, &n);

	if (r)
		return r;
	reconcile_service(service, rows, n, look_up, inv, now, RECONCILE_STALE_AGE_S,
			  &ret->verdict);
	return inventory_holdings(rows, n, true, &ret->holdings, &ret->n_holdings);
}

static const char *deciding_name(const struct inventory *inv, const struct service_now *s,
				 char *ret)
{
	static const struct process_id nobody;
	const struct process_id *id = &s->verdict.process;

	if (!id->pid)
		id = s->n_holdings ? &s->holdings[0].holder->id : &nobody;
	return inventory_process_name(inv, id, ret);
}

static void add_warning(struct json_object *o, const struct inventory *inv, uint16_t protocol,
			uint16_t port)
{
	char warning[WHY_WARNING_SIZE];

	why_split_warning(inv, inventory_own_netns(inv), protocol, port, warning);
	json_add_text(o, "warning", warning);
}

/*
 * What a line of a table shows, and of that only what is known: of 50,000 services few have a
 * process, and each member costs both sides more than finding its value.
 */
static struct json_object *service_view_briefly(struct api *api, const struct service *s,
						const struct service_now *now)
{
	struct json_object *o = json_object_new_object();
	char comm[PROCESS_COMM_SIZE];

	json_add_text(o, "id", s->id);
	json_add_int(o, "port", s->port);
	json_add_text(o, "status", service_status_name(now->verdict.status));
	json_add_int(o, "createdAt", s->created_at);
	if (!now->n_holdings)
		return o;
	json_add(o, "pids", view_pids(now->holdings, now->n_holdings));
	json_add_text(o, "process", deciding_name(api->config.inventory, now, comm));
	add_warning(o, api->config.inventory, IPPROTO_TCP, s->port);
	return o;
}

static struct json_object *service_view(struct api *api, const struct service *s,
					const struct service_now *now, uid_t viewer)
{
	struct json_object *o = json_object_new_object();
	char comm[PROCESS_COMM_SIZE];

	json_add_text(o, "id", s->id);
	json_add_int(o, "port", s->port);
	json_add_text(o, "status", service_status_name(now->verdict.status));
	json_add(o, "pids", view_pids(now->holdings, now->n_holdings));
	json_add_text(o, "process", deciding_name(api->config.inventory, now, comm));
	json_add_int(o, "createdAt", s->created_at);
	json_add_int(o, "updatedAt", s->updated_at);
	json_add_known(o, "expiresAt", s->expires_at);
	json_add_text(o, "healthPath", s->health_path);
	json_add_text(o, "user", user_name(s->uid));
	json_add_text(o, "cwd", user_may_see(viewer, s->uid) ? s->cwd : NULL);
	json_add_text(o, "reason", now->verdict.reason);
	add_warning(o, api->config.inventory, IPPROTO_TCP, s->port);
	return o;
}

struct question {
	struct service_filter filter;
	int status; /* enum service_status, -1 = all */
	bool claims, orphans, details;
	struct page page;
	/* where the page begins: behind this claim, or behind this orphan when all claims are
	 * through */
	char after[IDENTITY_MAX + 1];
	bool claims_are_through;
	uint16_t after_port;
	uint64_t after_cookie;
};

static int add_service(struct request *r, const struct service *s, const struct question *q)
{
	const struct api_config *config = &r->api->config;
	struct service_now now = { 0 };
	int fault = service_judge(r->api, s, r->now, &now);

	if (fault)
		return fault;
	if (q->status < 0 || now.verdict.status == (enum service_status)q->status)
		fault = written_list_add(r, q->details ? service_view(r->api, s, &now, r->uid)
						       : service_view_briefly(r->api, s, &now));
	free(now.holdings);
	/* the look at the holders saw more than the events had told: let the keeper know */
	if (now.verdict.status != s->status)
		config->claims_changed(s->port, config->user_data);
	return fault;
}

/* --- orphans --- */

/* The own sockets of some ports that serve. */
struct roll {
	const struct inventory *inventory;
	uint64_t ports[(UINT16_MAX + 1) / 64]; /* a bit each */
};

static bool is_of_roll(const struct socket_row *row, void *user_data)
{
	const struct roll *roll = user_data;

	return roll->ports[row->port / 64] >> row->port % 64 & 1 &&
	       row->netns == inventory_own_netns(roll->inventory) && socket_serves(row);
}

static void roll_add(struct roll *roll, uint16_t port)
{
	roll->ports[port / 64] |= UINT64_C(1) << port % 64;
}

/* Before many ports are looked at: who answers in one call need not be asked for each of them. */
static int call_roll(struct api *api, struct roll *roll)
{
	roll->inventory = api->config.inventory;
	return inventory_call_roll(api->config.inventory, is_of_roll, roll);
}

static bool any(const struct service *service, void *user_data)
{
	return false;
}

int services_unclaimed_reason(struct api *api, const struct socket_row *row)
{
	int ever;

	if (!socket_serves(row) || row->netns != inventory_own_netns(api->config.inventory))
		return ORPHAN_NOT;
	ever = registry_port_ever_claimed(api->config.registry, row->port);
	if (ever < 0)
		return ever;
	return reconcile_orphan(row, range_of_services, false, ever > 0);
}

struct port_set {
	struct api *api;
	const struct orphan_filter *filter;
	int fault;
	size_t n;
	uint16_t ports[UINT16_MAX]; /* as they come: ascending */
	struct roll roll;
};

/* Where somebody serves and, were there no claim, would be an orphan. */
static bool collect_port(const struct socket_row *row, void *user_data)
{
	struct port_set *set = user_data;
	int reason;

	if ((set->filter->port && set->filter->port != row->port) || row->port < set->filter->from)
		return true;
	if (set->n && set->ports[set->n - 1] == row->port)
		return true;
	reason = services_unclaimed_reason(set->api, row);
	if (reason < 0)
		set->fault = reason;
	if (reason > ORPHAN_NOT)
		set->ports[set->n++] = row->port;
	/* one more, which tells where the next page begins */
	return !set->fault && (!set->filter->n_ports || set->n <= set->filter->n_ports);
}

/* 1 = visit wants no more. */
static int visit_port(struct api *api, uint16_t port, orphan_visit visit, void *user_data)
{
	struct inventory *inv = api->config.inventory;
	_cleanup_free_ const struct socket_row **rows = NULL;
	size_t n;
	int r = registry_service_by_port(api->config.registry, port, any, NULL);

	if (r != OUTCOME_NO)
		return r; /* claimed: it is nobody's orphan */
	r = inventory_verified_rows(inv, inventory_own_netns(inv), port, &rows, &n);
	for (size_t i = 0; !r && i < n; i++) {
		int reason = services_unclaimed_reason(api, rows[i]);

		if (reason < 0)
			return reason;
		if (reason != ORPHAN_NOT && !visit(rows[i], (enum orphan_reason)reason, user_data))
			return 1;
	}
	return r;
}

int services_for_each_orphan(struct api *api, struct orphan_filter *filter, orphan_visit visit,
			     void *user_data)
{
	_cleanup_free_ struct port_set *set = calloc(1, sizeof(*set));
	int r;

	if (!set)
		return -ENOMEM;
	set->api = api;
	set->filter = filter;
	inventory_for_each(api->config.inventory, collect_port, set);
	filter->next = filter->n_ports && set->n > filter->n_ports ? set->ports[--set->n] : 0;
	for (size_t i = 0; i < set->n; i++)
		roll_add(&set->roll, set->ports[i]);
	r = set->fault;
	if (!r && set->n > 1)
		r = call_roll(api, &set->roll);
	for (size_t i = 0; !r && i < set->n; i++)
		r = visit_port(api, set->ports[i], visit, user_data);
	return r < 0 ? r : 0;
}

struct orphan_listing {
	struct request *request;
	const struct question *question;
	uint16_t last_port;
	uint64_t last_cookie;
	bool more;
	int fault;
};

static bool is_behind(const struct question *q, const struct socket_row *row)
{
	return row->port > q->after_port ||
	       (row->port == q->after_port && row->cookie > q->after_cookie);
}

static bool add_orphan(const struct socket_row *row, enum orphan_reason reason, void *user_data)
{
	struct orphan_listing *listing = user_data;
	const struct inventory *inv = listing->request->api->config.inventory;
	_cleanup_free_ struct holding *holdings = NULL;
	struct json_object *o;
	char addr[NET_ADDR_STR_SIZE], comm[PROCESS_COMM_SIZE] = "";
	size_t n;

	if (!is_behind(listing->question, row))
		return true;
	listing->more = page_is_full(listing->request, &listing->question->page);
	if (listing->more)
		return false;
	listing->fault = inventory_holdings(&row, 1, true, &holdings, &n);
	if (listing->fault)
		return false;
	o = json_object_new_object();
	if (n)
		inventory_process_name(inv, &holdings[0].holder->id, comm);
	json_add_int(o, "port", row->port);
	json_add_text(o, "proto", net_protocol_name(row->protocol));
	json_add_text(o, "addr", net_addr_format(row->family, &row->addr, addr));
	json_add(o, "pids", view_pids(holdings, n));
	json_add_text(o, "process", comm);
	json_add_text(o, "user", user_name(row->uid));
	json_add_known(o, "since", row->since);
	json_add_text(o, "reason", orphan_reason_text(reason));
	add_warning(o, inv, row->protocol, row->port);
	listing->last_port = row->port;
	listing->last_cookie = row->cookie;
	listing->fault = written_list_add(listing->request, o);
	return !listing->fault;
}

/* --- GET /v1/services --- */

static int bad_status(struct request *r, const char *text)
{
	char names[128] = "";
	size_t used = 0;

	for (int s = 0; s < _SERVICE_STATUS_MAX && used < sizeof(names); s++)
		used += snprintf(names + used, sizeof(names) - used, "%s, ",
				 service_status_name((enum service_status)s));
	return request_fail(r, OUTCOME_BAD_REQUEST, "status \"%.32s\" is none of: %s" ORPHAN_STATUS,
			    text, names);
}

/* "shop:web" is behind a claim, ":3000.17" behind an orphan: no name begins so. */
static int parse_page(struct request *r, struct question *ret)
{
	int fault = page_parse(r, PAGE_MAX_ROWS, &ret->page);
	const char *after = ret->page.after;

	if (fault || !after)
		return fault;
	ret->claims_are_through = *after == ':';
	if (ret->claims_are_through)
		return page_after_socket(r, after + 1, &ret->after_port, &ret->after_cookie);
	if (strlen(after) > IDENTITY_MAX)
		return page_bad_cursor(r);
	strcpy(ret->after, after);
	return 0;
}

static int parse(struct request *r, struct question *ret)
{
	const char *status = request_param(r, "status"), *why;
	struct service_filter *filter = &ret->filter;
	int fault = request_param_port(r, "port", &filter->port);

	if (!fault)
		fault = request_param_details(r, &ret->details);
	if (!fault)
		fault = parse_page(r, ret);
	if (fault)
		return fault;
	filter->pattern = request_param(r, "pattern");
	filter->status = -1;
	if (filter->pattern && pattern_check(filter->pattern, &why))
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "pattern \"%.64s\" cannot be read: %s; write one like myapp:*",
				    filter->pattern, why);
	ret->claims = !status || strcmp(status, ORPHAN_STATUS) != 0;
	/* an orphan has no name that a pattern could fit */
	ret->orphans = !filter->pattern && (!status || !ret->claims);
	ret->status = status && ret->claims ? service_status_of_name(status) : -1;
	if (status && ret->claims && ret->status < 0)
		return bad_status(r, status);
	return 0;
}

static bool add_to_chunk(const struct service *service, void *chunk)
{
	return service_list_add(service, chunk) &&
	       ((struct service_list *)chunk)->n < CHUNK_SERVICES;
}

static int call_roll_of_services(struct api *api, const struct service_list *list)
{
	struct roll roll = { 0 };

	for (size_t i = 0; i < list->n; i++)
		roll_add(&roll, list->services[i].port);
	return list->n > 1 ? call_roll(api, &roll) : 0;
}

/*
 * Adds the services behind q->after, which then names the last that was looked at.  *ret_more: some
 * were left out; *ret_end: there are none behind them.
 */
static int add_chunk(struct request *r, struct question *q, bool *ret_more, bool *ret_end)
{
	struct service_filter filter = q->filter;
	struct service_list chunk = { 0 };
	int fault;

	filter.after = q->after;
	fault = registry_for_each_service(r->api->config.registry, &filter, add_to_chunk, &chunk);
	if (!fault && chunk.no_memory)
		fault = -ENOMEM;
	if (!fault)
		fault = call_roll_of_services(r->api, &chunk);
	*ret_more = false;
	for (size_t i = 0; !fault && !*ret_more && i < chunk.n; i++) {
		*ret_more = page_is_full(r, &q->page);
		if (*ret_more)
			break;
		fault = add_service(r, &chunk.services[i], q);
		snprintf(q->after, sizeof(q->after), "%s", chunk.services[i].id);
	}
	*ret_end = chunk.n < CHUNK_SERVICES;
	service_list_free(&chunk);
	return fault;
}

/* Sets claims_are_through, or leaves q->after where the next page begins. */
static int list_services(struct request *r, struct question *q)
{
	int fault = written_list_begin(r, "services");
	bool more = false, end = !q->claims || q->claims_are_through;

	for (int judged = 0; !fault && !more && !end; judged += CHUNK_SERVICES) {
		more = judged >= JUDGED_MAX;
		if (!more)
			fault = add_chunk(r, q, &more, &end);
	}
	q->claims_are_through = !more;
	return fault ? fault : written_list_end(r);
}

/* ret_next: the cursor, or "". */
static int list_orphans(struct request *r, const struct question *q,
			char ret_next[PAGE_SOCKET_SIZE + 1])
{
	struct orphan_filter filter = { q->filter.port, q->after_port, (size_t)q->page.rows, 0 };
	struct orphan_listing listing = { .request = r, .question = q };
	int fault = written_list_begin(r, "orphans");

	*ret_next = '\0';
	if (!fault && q->orphans && q->claims_are_through)
		fault = services_for_each_orphan(r->api, &filter, add_orphan, &listing);
	if (!fault)
		fault = listing.fault;
	if (fault)
		return fault;
	if (listing.more || filter.next)
		*ret_next = ':';
	if (listing.more)
		page_socket(listing.last_port, listing.last_cookie, ret_next + 1);
	else if (filter.next)
		page_socket(filter.next, 0, ret_next + 1);
	return written_list_end(r);
}

int services_get(struct request *r)
{
	struct question q = { 0 };
	char next[PAGE_SOCKET_SIZE + 1];
	int fault = parse(r, &q);

	if (!fault)
		fault = list_services(r, &q);
	if (!fault)
		fault = list_orphans(r, &q, next);
	return fault ? fault : page_end(r, q.claims_are_through ? next : q.after);
}
