/* SPDX-License-Identifier: MIT */
/* POST /v1/claims: the claimer is who connected, never what the body says. */
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <string.h>

#include "api/record.h"
#include "api/routes.h"
#include "api/services.h"
#include "api/state.h"
#include "api/view.h"
#include "api/why.h"
#include "base/health_path.h"
#include "base/log.h"
#include "base/moment.h"
#include "base/procfs.h"
#include "http/commit.h"

#define DETAILS_SIZE 96
#define SERVICES_MAX 256 /* of one request; a project has a handful, a range 6900 ports */

/* --- what was asked --- */

static int parse_id(struct request *r, struct json_object *o, struct claim_request *c)
{
	const char *why;
	int fault = request_object_text(r, o, "id", &c->id);

	if (fault)
		return fault;
	if (!c->id)
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "\"id\" is missing; write one like \"myapp:web\"");
	if (identity_check(c->id, &why))
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "id \"%.64s\" cannot be used: %s; write one like myapp:web",
				    c->id, why);
	return 0;
}

static int parse_port_and_range(struct request *r, struct claim_request *c)
{
	const char *range;
	int fault = request_member_port(r, "port", &c->port);

	if (!fault)
		fault = request_member_text(r, "range", &range);
	if (fault || !range)
		return fault;
	if (port_range_parse(range, &c->range))
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "range \"%.32s\" cannot be read; write it like 3100-3199",
				    range);
	if (c->port && (c->port < c->range.first || c->port > c->range.last))
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "port %u lies outside the range %s: give one of the two",
				    c->port, range);
	return 0;
}

static int parse_ttl(struct request *r, struct claim_request *c)
{
	const char *text;
	size_t at = 0;
	int fault = request_member_text(r, "ttl", &text);

	if (fault || !text)
		return fault;
	if (duration_parse(text, &c->ttl_s, &at))
		return request_fail(
			r, OUTCOME_BAD_REQUEST,
			"ttl \"%.64s\" is no duration (see character %zu); write it like "
			"45s, 30m, 2h30m or 1d",
			text, at + 1);
	return 0;
}

/* A URL that was pasted is kept as the path that it means, in `ret` (HEALTH_PATH_SIZE). */
static int parse_health(struct request *r, struct json_object *o, struct claim_request *c,
			char *ret)
{
	struct health_path path;
	const char *text, *why;
	int fault = request_object_text(r, o, "health", &text);

	if (fault || !text)
		return fault;
	if (health_path_parse(text, &path, &why))
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "health \"%.64s\" cannot be used: %s; write it like /health or "
				    "https:/health",
				    text, why);
	c->health_path = health_path_format(&path, ret);
	return 0;
}

/* The program that ran pd is the claimer: the pid of `pd claim` itself is gone in a moment. */
static int parse_claimer(struct request *r, struct claim_request *c, struct process *peer)
{
	int fault = request_member_text(r, "cwd", &c->cwd);

	if (fault)
		return fault;
	if (c->cwd && (*c->cwd != '/' || strlen(c->cwd) >= PATH_MAX))
		return request_fail(
			r, OUTCOME_BAD_REQUEST,
			"cwd \"%.64s\" is not an absolute path; write it like /home/me/app",
			c->cwd);
	request_caller(r, peer);
	if (!c->cwd && peer->id.pid)
		procfs_cwd(peer->id.pid, peer->cwd);
	if (!c->cwd)
		c->cwd = peer->cwd;
	c->sid = peer->sid;
	if (peer->n_ancestors)
		c->claimer = peer->ancestors[0].id;
	return 0;
}

struct order {
	struct claim_request request;
	struct claim_result result;
	int status;		       /* enum service_status, as judged now */
	char health[HEALTH_PATH_SIZE]; /* what request.health_path points to */
};

/* What one request claims: all of it or nothing. */
struct orders {
	struct order *orders;
	size_t n;
	bool list; /* "services" were given: the answer is a list, too */
	struct process peer;
};

static void orders_deinit(struct orders *o)
{
	free(o->orders);
}

/* What all claims of the request share. */
static int parse_common(struct request *r, struct claim_request *c, struct process *peer)
{
	int fault;

	*c = (struct claim_request){ .uid = r->uid, .now = r->now };
	fault = parse_port_and_range(r, c);
	if (!fault)
		fault = parse_ttl(r, c);
	return fault ? fault : parse_claimer(r, c, peer);
}

static int parse_one(struct request *r, struct json_object *o, const struct claim_request *common,
		     struct order *ret)
{
	int fault;

	ret->request = *common;
	fault = parse_id(r, o, &ret->request);
	return fault ? fault : parse_health(r, o, &ret->request, ret->health);
}

static int check_service(struct request *r, struct json_object *o)
{
	if (!json_object_is_type(o, json_type_object))
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "\"services\" holds something that is no object; write "
				    "[{\"id\": \"myapp:web\"}]");
	json_object_object_foreach(o, key, value) {
		(void)value;
		if (strcmp(key, "id") != 0 && strcmp(key, "health") != 0)
			return request_fail(r, OUTCOME_BAD_REQUEST,
					    "unknown member \"%.64s\" in \"services\"; it takes: "
					    "id, health",
					    key);
	}
	return 0;
}

static int check_services(struct request *r, struct json_object *services)
{
	static const char *const alone[] = { "id", "port", "health" };

	if (!json_object_is_type(services, json_type_array) || !json_object_array_length(services))
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "\"services\" is no list; write [{\"id\": \"myapp:web\"}]");
	if (json_object_array_length(services) > SERVICES_MAX)
		return request_fail(r, OUTCOME_TOO_LARGE, "more than %d services at once",
				    SERVICES_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(alone); i++)
		if (json_object_object_get(r->body, alone[i]))
			return request_fail(r, OUTCOME_BAD_REQUEST,
					    "\"%s\" and \"services\" exclude each other", alone[i]);
	return 0;
}

static int parse_services(struct request *r, struct json_object *services,
			  const struct claim_request *common, struct orders *ret)
{
	size_t n = json_object_array_length(services);
	int fault = 0;

	ret->list = true;
	ret->orders = calloc(n, sizeof(*ret->orders));
	if (!ret->orders)
		return -ENOMEM;
	for (; !fault && ret->n < n; ret->n++) {
		struct json_object *o = json_object_array_get_idx(services, ret->n);

		fault = check_service(r, o);
		if (!fault)
			fault = parse_one(r, o, common, &ret->orders[ret->n]);
	}
	return fault;
}

static int parse(struct request *r, struct orders *ret)
{
	struct json_object *services = json_object_object_get(r->body, "services");
	struct claim_request common;
	int fault = services ? check_services(r, services) : 0;

	if (!fault)
		fault = parse_common(r, &common, &ret->peer);
	if (fault)
		return fault;
	if (services)
		return parse_services(r, services, &common, ret);
	ret->orders = calloc(1, sizeof(*ret->orders));
	if (!ret->orders)
		return -ENOMEM;
	ret->n = 1;
	return parse_one(r, r->body, &common, &ret->orders[0]);
}

/* --- may the port be given? --- */

struct probing {
	struct inventory *inventory;
	uint16_t asked; /* exactly this one, also where ports are not assigned; 0 = none */
	int fault;
};

static bool is_usable(uint16_t port, void *user_data)
{
	struct probing *p = user_data;
	bool is_free = false;
	int r;

	if (p->asked != port && inventory_port_is_reserved(p->inventory, port))
		return false;
	r = inventory_port_is_free(p->inventory, port, &is_free);
	if (r)
		p->fault = r;
	return !r && is_free;
}

/* --- refusals --- */

/*
 * Fills the why object for the protocol that is in the way.  Assigning looks at both: a port that
 * only UDP holds is free to a TCP server, but is not handed out.
 */
static int explain(struct request *r, uint16_t port, struct json_object *why, const char **ret)
{
	struct why_question tcp = why_default_question(IPPROTO_TCP, port);
	struct why_question udp = why_default_question(IPPROTO_UDP, port);
	_cleanup_json_ struct json_object *answer = json_object_new_object();
	int fault = why_view(r->api, &tcp, r->uid, r->now, answer);

	if (!fault && json_object_get_boolean(json_object_object_get(answer, "free"))) {
		json_object_put(answer);
		answer = json_object_new_object();
		fault = why_view(r->api, &udp, r->uid, r->now, answer);
	}
	json_merge(why, answer);
	*ret = json_object_get_string(json_object_object_get(why, "summary"));
	return fault;
}

static void address_text(const struct socket_row *row, int64_t now, char *ret, size_t size)
{
	char addr[NET_ADDR_STR_SIZE], at[32];

	snprintf(ret, size, "%s on %s:%u%s%s", row->state == SOCKET_LISTEN ? "listening" : "bound",
		 net_addr_format(row->family, &row->addr, addr), row->port,
		 row->since ? " since " : "",
		 row->since ? moment_format_log(row->since, now, at) : "");
}

/* "port 3000 is held by node (94120), listening on :::3000 since 2:47:23; see: pd why 3000" */
static int held_by_process(struct request *r, uint16_t port)
{
	struct inventory *inv = r->api->config.inventory;
	struct json_object *why = json_object_new_object();
	_cleanup_free_ const struct socket_row **rows = NULL;
	_cleanup_free_ struct holding *holdings = NULL;
	char comm[PROCESS_COMM_SIZE], where[NET_ADDR_STR_SIZE + 80];
	const char *summary;
	size_t n = 0, n_holdings = 0;
	int fault = explain(r, port, why, &summary);

	request_extra(r, "why", why);
	if (!fault)
		fault = inventory_verified_rows(inv, inventory_own_netns(inv), port, &rows, &n);
	if (!fault)
		fault = inventory_holdings(rows, n, false, &holdings, &n_holdings);
	if (fault)
		return fault;
	if (json_object_get_boolean(json_object_object_get(why, "free")))
		return request_fail(r, OUTCOME_CONFLICT,
				    "port %u was taken and has just become free: try again", port);
	if (!n_holdings)
		return request_fail(r, OUTCOME_CONFLICT, "%s See: pd why %u", summary, port);
	address_text(holdings[0].socket, r->now, where, sizeof(where));
	return request_fail(r, OUTCOME_CONFLICT, "port %u is held by %s (%d), %s; see: pd why %u",
			    port, inventory_process_name(inv, &holdings[0].holder->id, comm),
			    holdings[0].holder->id.pid, where, port);
}

static int held_by_claim(struct request *r, uint16_t port, const char *id)
{
	struct json_object *holder = json_object_new_object(), *why = json_object_new_object();
	const char *summary;
	int fault;

	json_add_text(holder, "id", id);
	request_extra(r, "holder", holder);
	request_extra(r, "why", why);
	fault = explain(r, port, why, &summary);
	if (fault)
		return fault;
	return request_fail(r, OUTCOME_CONFLICT, "port %u is claimed by %s; see: pd why %u", port,
			    id, port);
}

static int refuse(struct request *r, int outcome, const struct claim_request *c,
		  const struct claim_result *result)
{
	struct port_range range = c->range;

	if (!range.first)
		range = (struct port_range){ PORT_RANGE_FIRST, PORT_RANGE_LAST };
	switch (outcome) {
	case OUTCOME_CONFLICT:
		if (*result->holder_id)
			return held_by_claim(r, c->port, result->holder_id);
		return held_by_process(r, c->port);
	case OUTCOME_NOT_ALLOWED:
		return request_fail(r, OUTCOME_NOT_ALLOWED,
				    "%s belongs to user %s: claim another name, or ask them", c->id,
				    user_name(result->holder_uid));
	case OUTCOME_TOO_LARGE:
		return request_fail_quota(r, QUOTA_CLAIMS, result->over);
	case OUTCOME_NO_FREE_PORT:
		return request_fail(r, OUTCOME_NO_FREE_PORT,
				    "every port from %u to %u is taken; give another range",
				    range.first, range.last);
	default:
		return outcome;
	}
}

/* --- done --- */

static int log_claim(struct request *r, const struct claim_request *c,
		     const struct claim_result *result, const struct process *peer)
{
	char details[DETAILS_SIZE];

	if (result->previous_port)
		snprintf(details, sizeof(details), "Port %u assigned (was %u)", result->port,
			 result->previous_port);
	else
		snprintf(details, sizeof(details), "Port %u assigned", result->port);
	return record_activity(r, ACTIVITY_CLAIM, c->id, result->port, peer->comm, details);
}

static void add_answer(const struct order *order, struct json_object *o)
{
	json_add_text(o, "id", order->request.id);
	json_add_int(o, "port", order->result.port);
	json_add_bool(o, "existing", order->result.existing);
	json_add_text(o, "status", service_status_name(order->status));
	json_add_known(o, "previousPort", order->result.previous_port);
}

static int claim_one(struct request *r, struct order *order)
{
	struct registry *registry = r->api->config.registry;
	struct probing probing = { .inventory = r->api->config.inventory,
				   .asked = order->request.port };
	int fault = registry_claim(registry, &order->request, is_usable, &probing, &order->result);

	/* "not usable" because the kernel was not to be asked is a failure, not a conflict */
	return fault > 0 && probing.fault ? probing.fault : fault;
}

static int claim_each(struct request *r, struct orders *orders, struct order **ret_refused)
{
	int fault = 0;

	for (size_t i = 0; !fault && i < orders->n; i++) {
		*ret_refused = &orders->orders[i];
		fault = claim_one(r, *ret_refused);
	}
	return fault;
}

/* All or none.  Nobody is told before every one of them stands. */
static int claim_all(struct request *r, struct orders *orders)
{
	struct registry *registry = r->api->config.registry;
	bool grouped = orders->n > 1; /* a single one that fails undoes itself */
	struct order *refused = NULL;
	int fault = request_begin_write(r), end = 0;

	if (!fault && grouped)
		fault = registry_group_begin(registry);
	if (fault)
		return fault;
	fault = claim_each(r, orders, &refused);
	if (grouped)
		end = registry_group_end(registry, fault != 0);
	if (fault)
		return refuse(r, fault, &refused->request, &refused->result);
	return end;
}

static int settle(struct request *r, const struct orders *orders, struct order *order)
{
	const struct claim_result *result = &order->result;
	int fault = 0;

	if (!result->existing || result->previous_port || result->of_other_user)
		fault = log_claim(r, &order->request, result, &orders->peer);
	if (!fault && result->previous_port)
		fault = record_claim(r, result->previous_port, NULL);
	if (!fault)
		fault = record_claim(r, result->port, &order->status);
	return !fault && order->status < 0 ? -ENOENT : fault;
}

static int answer(struct request *r, const struct orders *orders)
{
	struct json_object *list = orders->list ? json_add_array(r->answer, "services") : NULL;
	int fault = 0;

	for (size_t i = 0; !fault && i < orders->n; i++) {
		struct json_object *o = list ? json_object_new_object() : r->answer;

		fault = settle(r, orders, &orders->orders[i]);
		add_answer(&orders->orders[i], o);
		if (list)
			json_append(list, o);
	}
	return fault;
}

int claims_post(struct request *r)
{
	_cleanup_(orders_deinit) struct orders orders = { 0 };
	int fault = parse(r, &orders);

	if (!fault)
		fault = claim_all(r, &orders);
	return fault ? fault : answer(r, &orders);
}
