/* SPDX-License-Identifier: MIT */
/*
 * POST /v1/claims: one service, or all of a project or none: pd claim.  The claimer is who
 * connected, never what the body says.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "api/routes.h"
#include "api/state.h"
#include "api/view.h"
#include "api/why.h"
#include "base/health_path.h"
#include "base/log.h"
#include "http/parse.h"
#include "tracker/claim.h"
#include "tracker/judge.h"

#define SERVICES_MAX 256 /* of one request; a project has a handful, a range 6900 ports */

/* What one request claims: all of it or nothing. */
struct claims {
	struct claim_order one;
	struct claim_batch batch;
	struct json_object *services; /* a list; NULL: `one` is meant, and the answer is no list */
};

static param_read read_health, read_range, read_services;

ROUTE(claims_post, POST, "/v1/claims", struct claims, PARAM_ID("id", struct claims, one.id),
      PARAM_PORT("port", struct claims, batch.port),
      PARAM_ROW("range", read_range, struct claims, batch.range, struct port_range),
      PARAM_DURATION("ttl", struct claims, batch.ttl_s),
      PARAM_ROW("health", read_health, struct claims, one.health_path, char[HEALTH_PATH_SIZE]),
      PARAM_PATH("cwd", struct claims, batch.cwd),
      PARAM_ROW("services", read_services, struct claims, services, struct json_object *,
		.of_any_type = true));

#define ID_IS_MISSING "; write one like \"myapp:web\""

/* Of an element of "services". */
static const struct param service_params[] = {
	PARAM_ID("id", struct claim_order, id, .missing = ID_IS_MISSING),
	PARAM_ROW("health", read_health, struct claim_order, health_path, char[HEALTH_PATH_SIZE]),
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
	const struct claim_batch *b = &c->batch;

	for (size_t i = 0; c->services && i < ARRAY_SIZE(alone); i++)
		if (parse_was_given(r, alone[i]))
			return request_fail(r, OUTCOME_BAD_REQUEST,
					    "\"%s\" and \"services\" exclude each other", alone[i]);
	if (!c->services && !c->one.id)
		return request_fail(r, OUTCOME_BAD_REQUEST, "\"id\" is missing" ID_IS_MISSING);
	if (b->port && b->range.first && (b->port < b->range.first || b->port > b->range.last))
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "port %u lies outside the range %u-%u: give one of the two",
				    b->port, b->range.first, b->range.last);
	return 0;
}

static int read_orders(struct request *r, struct claims *c)
{
	struct claim_batch *b = &c->batch;
	int fault = 0;

	b->n = c->services ? json_object_array_length(c->services) : 1;
	b->orders = c->services ? calloc(b->n, sizeof(*b->orders)) : &c->one;
	if (!b->orders)
		return -ENOMEM;
	for (size_t i = 0; c->services && !fault && i < b->n; i++) {
		struct json_object *o = json_object_array_get_idx(c->services, i);

		if (!json_object_is_type(o, json_type_object))
			return request_fail(r, OUTCOME_BAD_REQUEST,
					    "\"services\" holds something that is no object; write "
					    "[{\"id\": \"myapp:web\"}]");
		fault = parse_object(r, o, "services", service_params, ARRAY_SIZE(service_params),
				     &b->orders[i]);
	}
	return fault;
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

	if (!fault && json_bool_of(answer, "free")) {
		json_object_put(answer);
		answer = json_object_new_object();
		fault = why_view(r->api, &udp, r->uid, r->now, answer);
	}
	json_merge(why, answer);
	*ret = json_text_of(why, "summary");
	return fault;
}

/* "port 3000 is held by node (94120), listening on :::3000 since 2:47:23; see: pd why 3000" */
static int held_by_process(struct request *r, uint16_t port)
{
	struct inventory *inv = r->api->config.inventory;
	struct json_object *why = json_object_new_object();
	_cleanup_free_ struct holding *holdings = NULL;
	char comm[PROCESS_COMM_SIZE], where[WHY_SOCKET_SIZE];
	const char *summary;
	size_t n = 0;
	int fault = explain(r, port, why, &summary);

	request_extra(r, "why", why);
	if (!fault)
		fault = judge_holdings(inv, port, &holdings, &n);
	if (fault)
		return fault;
	if (json_bool_of(why, "free"))
		return request_fail(r, OUTCOME_CONFLICT,
				    "port %u was taken and has just become free: try again", port);
	if (!n)
		return request_fail(r, OUTCOME_CONFLICT, "%s See: pd why %u", summary, port);
	why_describe_socket(holdings[0].socket, r->now, where);
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

static int refuse(struct request *r, int outcome, const struct claim_batch *b)
{
	const struct claim_result *result = &b->refused->result;
	struct port_range range = b->range;

	if (!range.first)
		range = (struct port_range){ PORT_RANGE_FIRST, PORT_RANGE_LAST };
	switch (outcome) {
	case OUTCOME_CONFLICT:
		if (*result->holder_id)
			return held_by_claim(r, b->port, result->holder_id);
		return held_by_process(r, b->port);
	case OUTCOME_NOT_ALLOWED:
		return request_fail(r, OUTCOME_NOT_ALLOWED,
				    "%s belongs to user %s: claim another name, or ask them",
				    b->refused->id, user_name(result->holder_uid));
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

static void add_answer(const struct claim_order *order, struct json_object *o)
{
	json_add_text(o, "id", order->id);
	json_add_int(o, "port", order->result.port);
	json_add_bool(o, "existing", order->result.existing);
	json_add_text(o, "status", service_status_name(order->status));
	json_add_known(o, "previousPort", order->result.previous_port);
}

static int claim(struct request *r, struct claim_batch *b)
{
	int fault = request_begin_write(r);

	b->pid = r->pid;
	b->uid = r->uid;
	b->now = r->now;
	request_caller(r, &b->peer);
	if (!fault)
		fault = claim_make_all(r->api->config.tracker, b);
	return fault > 0 ? refuse(r, fault, b) : fault;
}

static int handle(struct request *r)
{
	struct claims *c = r->params;
	struct json_object *list;
	int fault = check_combination(r, c);

	if (!fault)
		fault = read_orders(r, c);
	if (!fault)
		fault = claim(r, &c->batch);
	if (!fault && c->services) {
		list = json_add_array(r->answer, "services");
		for (size_t i = 0; i < c->batch.n; i++)
			add_answer(&c->batch.orders[i], json_append_object(list));
	} else if (!fault) {
		add_answer(&c->one, r->answer);
	}
	if (c->services)
		free(c->batch.orders);
	return fault;
}
