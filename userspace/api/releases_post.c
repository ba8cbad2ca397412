/* SPDX-License-Identifier: MIT */
/* POST /v1/releases: an id, a pattern, or ":PORT"; only what belongs to the caller: pd release. */
#include <errno.h>
#include <string.h>

#include "api/match.h"
#include "api/routes.h"
#include "api/state.h"
#include "registry/service_list.h"
#include "tracker/claim.h"
#include "tracker/judge.h"

struct release {
	struct match match; /* of a pattern, what is not the caller's is skipped */

	struct json_object *released, *refused;
};

ROUTE(releases_post, POST, "/v1/releases", struct release,
      PARAM_MATCH("match", struct release, match,
		  .missing = "; write an id, a pattern or \":3000\""));

/* --- what still holds the port --- */

static int add_held_by(struct request *r, uint16_t port, struct json_object *o)
{
	struct inventory *inv = r->api->config.inventory;
	struct json_object *array = json_add_array(o, "heldBy");
	_cleanup_free_ struct holding *holdings = NULL;
	size_t n;
	int fault = judge_holdings(inv, port, &holdings, &n);

	for (size_t i = 0; !fault && i < n; i++) {
		const struct process_id *id = &holdings[i].holder->id;
		struct json_object *holder = json_append_object(array);
		char comm[PROCESS_COMM_SIZE];

		json_add_int(holder, "pid", id->pid);
		json_add_text(holder, "process", inventory_process_name(inv, id, comm));
	}
	return fault;
}

static int nothing_matched(struct request *r, const struct release *rel)
{
	_cleanup_free_ struct holding *holdings = NULL;
	struct inventory *inv = r->api->config.inventory;
	uint16_t port = rel->match.filter.port;
	char comm[PROCESS_COMM_SIZE];
	size_t n;
	int fault;

	if (!port)
		return match_fail(r, &rel->match);
	fault = judge_holdings(inv, port, &holdings, &n);
	if (fault)
		return fault;
	if (!n)
		return request_fail(r, OUTCOME_NO, "no service owns port %u", port);
	return request_fail(r, OUTCOME_NO,
			    "no service owns port %u; %s (%d) holds it, and a release ends no "
			    "process: see pd why %u",
			    port, inventory_process_name(inv, &holdings[0].holder->id, comm),
			    holdings[0].holder->id.pid, port);
}

/* --- done --- */

static struct json_object *add_claim(struct json_object *list, const struct service *s)
{
	struct json_object *o = json_append_object(list);

	json_add_text(o, "id", s->id);
	json_add_int(o, "port", s->port);
	return o;
}

static int release_one(struct request *r, struct release *rel, const struct service *s,
		       const struct release_actor *actor)
{
	int fault = request_begin_write(r);

	if (!fault)
		fault = claim_release(r->api->config.tracker, s, NULL, actor, r->now);
	return fault ? fault : add_held_by(r, s->port, add_claim(rel->released, s));
}

static int release_list(struct request *r, struct release *rel, const struct service_list *list)
{
	char comm[REQUEST_COMM_SIZE];
	const struct release_actor actor = { r->pid, r->uid, request_caller_name(r, comm) };
	int fault = 0;

	for (size_t i = 0; !fault && i < list->n; i++) {
		const struct service *s = &list->services[i];

		if (release_is_allowed(r->uid, s))
			fault = release_one(r, rel, s, &actor);
		else
			json_add_text(add_claim(rel->refused, s), "user", user_name(s->uid));
	}
	if (fault || json_object_array_length(rel->released))
		return fault;
	request_extra(r, "refused", json_object_get(rel->refused));
	return request_fail(r, OUTCOME_NOT_ALLOWED,
			    "%s belongs to user %s: only they may release it", list->services[0].id,
			    user_name(list->services[0].uid));
}

static int handle(struct request *r)
{
	struct release *rel = r->params;
	struct service_list list = { 0 };
	int fault;

	rel->released = json_add_array(r->answer, "released");
	rel->refused = json_add_array(r->answer, "refused");
	fault = registry_for_each_service(r->api->config.registry, &rel->match.filter,
					  service_list_add, &list);
	if (!fault && list.no_memory)
		fault = -ENOMEM;
	if (!fault)
		fault = list.n ? release_list(r, rel, &list) : nothing_matched(r, rel);
	service_list_free(&list);
	return fault;
}
