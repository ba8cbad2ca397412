/* SPDX-License-Identifier: MIT */
/*
 * POST /v1/claims: one service, or all of a project or none: pd claim.  The claimer is who
 * connected, never what the body says.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "api/record.h"
#include "api/routes.h"
#include "api/state.h"
#include "api/view.h"
#include "api/why.h"
#include "base/health_path.h"
#include "base/log.h"
#include "base/moment.h"
#include "base/procfs.h"
#include "http/parse.h"
#include "registry/service_list.h"

#define DETAILS_SIZE 96
#define SERVICES_MAX 256 /* of one request; a project has a handful, a range 6900 ports */

struct order {
	const char *id;
	char health[HEALTH_PATH_SIZE]; /* the path that was meant; "" = none was given */

	struct claim_result result;
	int status; /* enum service_status, as judged now */
};

/* What one request claims: all of it or nothing. */
struct claims {
	struct order one;
	uint16_t port;
	struct port_range range;
	int64_t ttl_s;
	const char *cwd;
	struct json_object *services; /* a list; NULL: `one` is meant, and the answer is no list */

	struct order *orders; /* owned where there is a list */
	size_t n;
	struct process peer;
	struct claim_request common; /* what all claims of the request share */
};

static param_read read_health, read_range, read_services;

static int handle(struct request *r);

const struct route claims_post = {
	.method = ROUTE_POST,
	.path = "/v1/claims",
	.handle = handle,
	.params = {
		PARAM_ID("id", struct claims, one.id),
		PARAM_PORT("port", struct claims, port),
		PARAM_ROW("range", read_range, struct claims, range, struct port_range),
		PARAM_DURATION("ttl", struct claims, ttl_s),
		PARAM_ROW("health", read_health, struct claims, one.health, char[HEALTH_PATH_SIZE]),
		PARAM_PATH("cwd", struct claims, cwd),
		PARAM_ROW("services", read_services, struct claims, services, struct json_object *,
			  .of_any_type = true),
	},
	.params_size = sizeof(struct claims),
};

#define ID_IS_MISSING "; write one like \"myapp:web\""

/* Of an element of "services". */
static const struct param service_params[] = {
	PARAM_ID("id", struct order, id, .missing = ID_IS_MISSING),
	PARAM_ROW("health", read_health, struct order, health, char[HEALTH_PATH_SIZE]),
};

/* --- what was asked --- */

static int read_range(struct request *r, const struct param *p, const struct param_value *value,
		      void *ret)
{
	if (!port_range_parse(value->text, ret))
		return 0;
	return request_fail(r, OUTCOME_BAD_REQUEST,
			    "range \"%.32s\" cannot be read; write it like 3100-3199", value->text);
}

/* A URL that was pasted is kept as the path that it means. */
static int read_health(struct request *r, const struct param *p, const struct param_value *value,
		       void *ret)
{
	struct health_path path;
	const char *why;

	if (health_path_parse(value->text, &path, &why))
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "health \"%.64s\" cannot be used: %s; write it like /health or "
				    "https:/health",
				    value->text, why);
	health_path_format(&path, ret);
	return 0;
}

static int read_services(struct request *r, const struct param *p, const struct param_value *value,
			 void *ret)
{
	struct json_object *list = value->json;

	if (!json_object_is_type(list, json_type_array) || !json_object_array_length(list))
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "\"services\" is no list; write [{\"id\": \"myapp:web\"}]");
	if (json_object_array_length(list) > SERVICES_MAX)
		return request_fail(r, OUTCOME_TOO_LARGE, "more than %d services at once",
				    SERVICES_MAX);
	*(struct json_object **)ret = list;
	return 0;
}

static int check_combination(struct request *r, const struct claims *c)
{
	static const char *const alone[] = { "id", "port", "health" };

	for (size_t i = 0; c->services && i < ARRAY_SIZE(alone); i++)
		if (parse_was_given(r, alone[i]))
			return request_fail(r, OUTCOME_BAD_REQUEST,
					    "\"%s\" and \"services\" exclude each other", alone[i]);
	if (!c->services && !c->one.id)
		return request_fail(r, OUTCOME_BAD_REQUEST, "\"id\" is missing" ID_IS_MISSING);
	if (c->port && c->range.first && (c->port < c->range.first || c->port > c->range.last))
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "port %u lies outside the range %u-%u: give one of the two",
				    c->port, c->range.first, c->range.last);
	return 0;
}

static int read_orders(struct request *r, struct claims *c)
{
	size_t n = c->services ? json_object_array_length(c->services) : 1;
	int fault = 0;

	c->orders = c->services ? calloc(n, sizeof(*c->orders)) : &c->one;
	if (!c->orders)
		return -ENOMEM;
	for (c->n = c->services ? 0 : 1; !fault && c->n < n; c->n++) {
		struct json_object *o = json_object_array_get_idx(c->services, c->n);

		if (!json_object_is_type(o, json_type_object))
			return request_fail(r, OUTCOME_BAD_REQUEST,
					    "\"services\" holds something that is no object; write "
					    "[{\"id\": \"myapp:web\"}]");
		fault = parse_object(r, o, "services", service_params, ARRAY_SIZE(service_params),
				     &c->orders[c->n]);
	}
	return fault;
}

/* The program that ran pd is the claimer: the pid of `pd claim` itself is gone in a moment. */
static void find_claimer(struct request *r, struct claims *c)
{
	struct process *peer = &c->peer;

	request_caller(r, peer);
	if (!c->cwd && peer->id.pid)
		procfs_cwd(peer->id.pid, peer->cwd);
	c->common = (struct claim_request){
		.port = c->port,
		.range = c->range,
		.ttl_s = c->ttl_s,
		.uid = r->uid,
		.cwd = c->cwd ? c->cwd : peer->cwd,
		.sid = peer->sid,
		.now = r->now,
	};
	if (peer->n_ancestors)
		c->common.claimer = peer->ancestors[0].id;
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

static int refuse(struct request *r, int outcome, const struct claims *c, const struct order *order)
{
	const struct claim_result *result = &order->result;
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
				    "%s belongs to user %s: claim another name, or ask them",
				    order->id, user_name(result->holder_uid));
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

static int log_claim(struct request *r, const struct order *order, const struct process *peer)
{
	const struct claim_result *result = &order->result;
	char details[DETAILS_SIZE];

	if (result->previous_port)
		snprintf(details, sizeof(details), "Port %u assigned (was %u)", result->port,
			 result->previous_port);
	else
		snprintf(details, sizeof(details), "Port %u assigned", result->port);
	return record_activity(r, ACTIVITY_CLAIM, order->id, result->port, peer->comm, details);
}

static void add_answer(const struct order *order, struct json_object *o)
{
	json_add_text(o, "id", order->id);
	json_add_int(o, "port", order->result.port);
	json_add_bool(o, "existing", order->result.existing);
	json_add_text(o, "status", service_status_name(order->status));
	json_add_known(o, "previousPort", order->result.previous_port);
}

static int claim_one(struct request *r, const struct claims *c, struct order *order)
{
	struct probing probing = { .inventory = r->api->config.inventory, .asked = c->port };
	struct claim_request request = c->common;
	int fault;

	request.id = order->id;
	request.health_path = *order->health ? order->health : NULL;
	fault = registry_claim(r->api->config.registry, &request, is_usable, &probing,
			       &order->result);
	/* "not usable" because the kernel was not to be asked is a failure, not a conflict */
	return fault > 0 && probing.fault ? probing.fault : fault;
}

/* All or none.  Nobody is told before every one of them stands. */
static int claim_all(struct request *r, struct claims *c)
{
	struct registry *registry = r->api->config.registry;
	bool grouped = c->n > 1; /* a single one that fails undoes itself */
	struct order *refused = NULL;
	int fault = request_begin_write(r), end = 0;

	if (!fault && grouped)
		fault = registry_group_begin(registry);
	if (fault)
		return fault;
	for (size_t i = 0; !fault && i < c->n; i++) {
		refused = &c->orders[i];
		fault = claim_one(r, c, refused);
	}
	if (grouped)
		end = registry_group_end(registry, fault != 0);
	return fault ? refuse(r, fault, c, refused) : end;
}

static int settle(struct request *r, const struct claims *c, struct order *order)
{
	const struct claim_result *result = &order->result;
	int fault = 0;

	if (!result->existing || result->previous_port || result->of_other_user)
		fault = log_claim(r, order, &c->peer);
	if (fault)
		return fault;
	if (result->previous_port)
		record_claim(r->api, result->previous_port);
	order->status = record_claim(r->api, result->port);
	return order->status < 0 ? -ENOENT : 0;
}

static int answer(struct request *r, struct claims *c)
{
	struct json_object *list = c->services ? json_add_array(r->answer, "services") : NULL;
	int fault = 0;

	for (size_t i = 0; !fault && i < c->n; i++) {
		struct json_object *o = list ? json_object_new_object() : r->answer;

		fault = settle(r, c, &c->orders[i]);
		add_answer(&c->orders[i], o);
		if (list)
			json_append(list, o);
	}
	return fault;
}

static int handle(struct request *r)
{
	struct claims *c = r->params;
	int fault = check_combination(r, c);

	if (!fault)
		fault = read_orders(r, c);
	if (!fault) {
		find_claimer(r, c);
		fault = claim_all(r, c);
	}
	if (!fault)
		fault = answer(r, c);
	if (c->services)
		free(c->orders);
	return fault;
}
