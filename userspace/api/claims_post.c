/* SPDX-License-Identifier: MIT */
/*
 * POST /v1/claims: one service, or all of a project or none: pd claim.  The claimer is who
 * connected, never what the body says.
 */
#include <errno.h>
#include <netinet/in.h>

#include "api/match.h"
#include "api/routes.h"
#include "api/state.h"
#include "base/cleanup.h"
#include "base/health_path.h"
#include "base/moment.h"
#include "http/parse.h"
#include "registry/service_list.h"
#include "runs/protection.h"
#include "tracker/claim.h"
#include "tracker/judge.h"
#include "view/claim_words.h"

#define SERVICES_MAX 256 /* of one request; a project has a handful, a range 6900 ports */

/* What one request claims: all of it or nothing. */
struct claims {
	struct claim_order one;
	struct claim_batch batch;
	bool protect;
	struct json_object *services; /* a list; NULL: `one` is meant, and the answer is no list */
};

static param_read read_health, read_range, read_services;

ROUTE(claims_post, POST, "/v1/claims", struct claims, PARAM_ID("id", struct claims, one.id),
      PARAM_PORT("port", struct claims, batch.port),
      PARAM_ROW("range", read_range, struct claims, batch.range, struct port_range),
      PARAM_DURATION("ttl", struct claims, batch.ttl_s),
      PARAM_ROW("health", read_health, struct claims, one.health_path, char[HEALTH_PATH_SIZE]),
      PARAM_PATH("cwd", struct claims, batch.cwd), PARAM_BOOL("protect", struct claims, protect),
      PARAM_BOOL("running", struct claims, batch.running),
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
	for (size_t i = 0; !fault && i < b->n; i++)
		if (identity_is_number(b->orders[i].id))
			fault = request_fail(r, OUTCOME_BAD_REQUEST,
					     "\"%.32s\" is a number and no name; write one "
					     "like \"myapp:web\"",
					     b->orders[i].id);
	return fault;
}

/* --- done --- */

/* What the caller is told of the port: about now, and wherever the caller is, of the daemon's. */
static int explain(struct request *r, uint16_t protocol, uint16_t port, uid_t uid, uid_t viewer,
		   struct why_facts *ret)
{
	struct why_asked asked = { .question = why_default_question(protocol, port),
				   .viewer = viewer,
				   .now = r->now };

	asked.question.uid = uid;
	why_facts_deinit(ret);
	*ret = (struct why_facts){ 0 };
	return explain_question(&r->api->explainer, &asked, ret);
}

/* What runs/ and explain/ know of it beside the tracker; then all of it is written. */
static int add_notices(struct request *r, const struct claim_batch *b,
		       const struct claim_order *order, struct json_object *o)
{
	const struct api *api = r->api;
	_cleanup_(why_facts_deinit) struct why_facts f = { 0 };
	char lift[WHY_MISSING_SIZE], command[WHY_COMMAND_SIZE];
	struct claim_notes notes = {
		.batch = b, .order = order, .viewer = r->uid, .user = request_user(r)
	};
	int lost = protection_is_lost(api->protection, order->result.port), fault = 0;

	if (lost < 0)
		return lost;
	if (order->around.may_be_refused)
		fault = explain(r, IPPROTO_TCP, order->result.port, b->uid, b->uid, &f);
	if (fault)
		return fault;
	if (order->around.may_be_refused && !f.answer.free)
		notes.refusal = f.summary;
	if (lost) {
		why_lift_obstacle(api->explainer.report, r->uid, lift, command);
		notes.lift = lift;
		notes.command = command;
	}
	claim_words_notices(&notes, o);
	return 0;
}

static int add_answer(struct request *r, const struct claim_batch *b,
		      const struct claim_order *order, struct json_object *o)
{
	json_add_text(o, "id", order->id);
	json_add_int(o, "port", order->result.port);
	json_add_int(o, "home", order->result.home);
	json_add_bool(o, "existing", order->result.existing);
	json_add_text(o, "status", service_status_name(order->status));
	json_add_known(o, "previousPort", order->result.previous_port);
	return add_notices(r, b, order, o);
}

/* A port that only UDP holds is free to a TCP server, but is not handed out. */
static int refuse_port(struct request *r, const struct claim_batch *b)
{
	const struct claim_result *result = &b->refused->result;
	_cleanup_(why_facts_deinit) struct why_facts f = { 0 };
	struct claim_conflict c = { .batch = b, .why = &f, .user = request_user(r) };
	char id[IDENTITY_MAX + 1], words[CLAIM_WORDS_SIZE];
	int fault;

	if (*result->holder_id)
		c.claim = match_shown_id(r, result->holder_id, result->holder_uid, id);
	fault = explain(r, IPPROTO_TCP, b->port, 0, r->uid, &f);
	if (!fault && f.answer.free)
		fault = explain(r, IPPROTO_UDP, b->port, 0, r->uid, &f);
	if (fault)
		return fault;
	claim_words_conflict(&c, request_extras(r), words);
	return request_fail(r, OUTCOME_CONFLICT, "%s", words);
}

/* Claims of a user in a range that nothing serves. */
struct idle {
	uid_t uid;
	struct port_range range;
	size_t n;
	int64_t since; /* of the one that was untouched longest: */
	char oldest[IDENTITY_MAX + 1];
};

static bool count_idle(const struct service *s, void *user_data)
{
	struct idle *idle = user_data;
	bool serves = s->status == SERVICE_ACTIVE || s->status == SERVICE_ORPHANED ||
		      s->status == SERVICE_SQUATTED;

	if (s->uid != idle->uid || serves || s->runs || s->port < idle->range.first ||
	    s->port > idle->range.last)
		return true;
	if (!idle->n++ || s->updated_at < idle->since) {
		idle->since = s->updated_at;
		identity_bare(s->id, idle->oldest);
	}
	return true;
}

static int refuse_full_range(struct request *r, struct port_range range)
{
	static const struct service_filter all = { .status = -1 };
	struct idle idle = { .uid = request_user(r), .range = range };
	int fault = registry_for_each_service(r->api->config.registry, &all, count_idle, &idle);
	bool is_stale = r->now - idle.since > RECONCILE_STALE_AGE_S;
	char age[16];

	if (fault)
		return fault;
	if (!idle.n)
		return request_fail(r, OUTCOME_NO_FREE_PORT,
				    "every port from %u to %u is taken; give another range",
				    range.first, range.last);
	return request_fail(
		r, OUTCOME_NO_FREE_PORT,
		"every port from %u to %u is taken, %zu of them by claims of yours that "
		"nothing serves: pd release %s gives the oldest back (%s)%s; or give "
		"another range",
		range.first, range.last, idle.n, idle.oldest,
		duration_format_short(r->now - idle.since, age),
		is_stale ? ", pd cleanup --older-than 30m all such" : "");
}

static int refuse(struct request *r, int outcome, const struct claim_batch *b)
{
	struct port_range range = b->range;

	if (!range.first)
		range = (struct port_range){ PORT_RANGE_FIRST, PORT_RANGE_LAST };
	switch (outcome) {
	case OUTCOME_CONFLICT:
		return refuse_port(r, b);
	case OUTCOME_TOO_LARGE:
		return request_fail_quota(r, QUOTA_CLAIMS, b->refused->result.over);
	case OUTCOME_NO_FREE_PORT:
		return refuse_full_range(r, range);
	default:
		return outcome;
	}
}

static int claim(struct request *r, struct claim_batch *b)
{
	int fault = request_begin_write(r);

	b->pid = r->pid;
	b->uid = request_user(r);
	b->now = r->now;
	request_caller(r, &b->peer);
	fault = fault ?: claim_make_all(r->api->config.tracker, b);
	return fault > 0 ? refuse(r, fault, b) : fault;
}

/* --- protected --- */

static int refuse_protection(struct request *r, const struct service *s, int outcome)
{
	if (outcome == PROTECTION_LIMIT)
		return request_fail(r, OUTCOME_TOO_LARGE,
				    "%s has port %u, which is not protected: you have %d "
				    "protected ports already; pd release or pd claim NAME "
				    "--no-protect gives one back",
				    s->id, s->port, PROTECTION_USER_MAX);
	return request_fail(r, OUTCOME_CONFLICT, "%s has port %u, which is not protected: %s",
			    s->id, s->port,
			    outcome == PROTECTION_LOW
				    ? "it is below 1024, and those are root's to give away"
				    : "the kernel lets this daemon refuse nothing: it takes eBPF "
				      "and Linux 5.19 (pd status)");
}

/* Who has it when the kernel refuses it to everybody else already keeps it: then there is nothing
 * to promise. */
static int check_nobody_has_it(struct request *r, const struct service *s)
{
	struct status_verdict stranger;
	int fault;

	tracker_catch_up(r->api->config.tracker);
	fault = judge_port_stranger(r->api->config.inventory, s, &stranger);
	if (fault > 0)
		fault = request_fail(r, OUTCOME_CONFLICT,
				     "%s has port %u, which is not protected: it is %s; pd why %u",
				     s->id, s->port, stranger.reason, s->port);
	return fault;
}

static int protect_service(struct request *r, const struct service *s, bool on)
{
	struct api *api = r->api;
	int fault = 0;

	if (on && !s->is_protected && inventory_port_is_reserved(api->config.inventory, s->port))
		return request_fail(r, OUTCOME_CONFLICT,
				    "%s has port %u, which is not protected: the kernel gives "
				    "ports of ip_local_port_range to any connection",
				    s->id, s->port);
	fault = protection_set(api->protection, s, on);
	if (fault > 0)
		return refuse_protection(r, s, fault);
	if (!fault && on)
		fault = check_nobody_has_it(r, s);
	if (fault && on && !s->is_protected)
		protection_set(api->protection, s, false);
	return fault;
}

static int protect_all(struct request *r, const struct claim_batch *b, bool on)
{
	struct service_list list = { 0 };
	int fault = 0;

	for (size_t i = 0; !fault && i < b->n; i++) {
		const struct service_filter one = { .pattern = b->orders[i].result.id,
						    .status = -1 };

		fault = registry_for_each_service(r->api->config.registry, &one, service_list_add,
						  &list);
	}
	for (size_t i = 0; !fault && i < list.n; i++)
		fault = protect_service(r, &list.services[i], on);
	if (list.no_memory)
		fault = -ENOMEM;
	service_list_free(&list);
	return fault;
}

static int handle(struct request *r)
{
	struct claims *c = r->params;
	struct json_object *list;
	int fault = check_combination(r, c);

	fault = fault ?: read_orders(r, c);
	fault = fault ?: claim(r, &c->batch);
	if (!fault && parse_was_given(r, "protect"))
		fault = protect_all(r, &c->batch, c->protect);
	if (!fault && c->services) {
		list = json_add_array(r->answer, "services");
		for (size_t i = 0; !fault && i < c->batch.n; i++)
			fault = add_answer(r, &c->batch, &c->batch.orders[i],
					   json_append_object(list));
	} else if (!fault) {
		fault = add_answer(r, &c->batch, &c->one, r->answer);
	}
	if (c->services)
		free(c->batch.orders);
	return fault;
}
