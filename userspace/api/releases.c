/* SPDX-License-Identifier: MIT */
/* POST /v1/releases: an id, a pattern, or ":PORT"; only what belongs to the caller. */
#include <errno.h>
#include <string.h>

#include "api/release.h"
#include "api/routes.h"
#include "api/services.h"
#include "api/state.h"
#include "api/view.h"
#include "base/net.h"

struct release {
	const char *match;
	bool many; /* a pattern: what is not the caller's is skipped */
	struct service_filter filter;
	struct json_object *released, *refused;
	char comm[RELEASE_COMM_SIZE]; /* of the caller */
};

/* --- what was asked --- */

static int parse(struct request *r, struct release *ret)
{
	const char *why;
	int fault = request_member_text(r, "match", &ret->match);

	if (fault)
		return fault;
	if (!ret->match)
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "\"match\" is missing; write an id, a pattern or \":3000\"");
	ret->filter.status = -1;
	if (*ret->match == ':') {
		if (!net_port_parse(ret->match + 1, &ret->filter.port))
			return 0;
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "\"%.64s\" is not a port; write it like :3000", ret->match);
	}
	ret->many = pattern_has_wildcard(ret->match);
	ret->filter.pattern = ret->match;
	if (ret->many ? pattern_check(ret->match, &why) : identity_check(ret->match, &why))
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "\"%.64s\" cannot be read: %s; write an id like myapp:web, a "
				    "pattern like myapp:* or :3000",
				    ret->match, why);
	return 0;
}

/* --- what still holds the port --- */

static int add_held_by(struct request *r, uint16_t port, struct json_object *o)
{
	struct inventory *inv = r->api->config.inventory;
	struct json_object *array = json_add_array(o, "heldBy");
	_cleanup_free_ const struct socket_row **rows = NULL;
	_cleanup_free_ struct holding *holdings = NULL;
	size_t n = 0, n_holdings = 0;
	int fault = inventory_verified_rows(inv, inventory_own_netns(inv), port, &rows, &n);

	if (!fault)
		fault = inventory_holdings(rows, n, false, &holdings, &n_holdings);
	for (size_t i = 0; !fault && i < n_holdings; i++) {
		const struct process_id *id = &holdings[i].holder->id;
		struct json_object *holder = json_object_new_object();
		char comm[PROCESS_COMM_SIZE];

		json_add_int(holder, "pid", id->pid);
		json_add_text(holder, "process", inventory_process_name(inv, id, comm));
		json_append(array, holder);
	}
	return fault;
}

static int nothing_matched(struct request *r, const struct release *rel)
{
	_cleanup_json_ struct json_object *held = NULL;
	struct json_object *first;
	int fault;

	if (!rel->filter.port)
		return request_fail(r, OUTCOME_NO,
				    rel->many ? "no service matches %s" : "there is no service %s",
				    rel->match);
	held = json_object_new_object();
	fault = add_held_by(r, rel->filter.port, held);
	if (fault)
		return fault;
	first = json_object_array_get_idx(json_object_object_get(held, "heldBy"), 0);
	if (!first)
		return request_fail(r, OUTCOME_NO, "no service owns port %u", rel->filter.port);
	return request_fail(
		r, OUTCOME_NO,
		"no service owns port %u; %s (%d) holds it, and a release ends no process: "
		"see pd why %u",
		rel->filter.port, json_object_get_string(json_object_object_get(first, "process")),
		json_object_get_int(json_object_object_get(first, "pid")), rel->filter.port);
}

/* --- done --- */

static int release_one(struct request *r, struct release *rel, const struct service *s)
{
	struct json_object *o;
	int fault = release_service(r, s, rel->comm, NULL);

	if (fault)
		return fault;
	o = json_object_new_object();
	json_add_text(o, "id", s->id);
	json_add_int(o, "port", s->port);
	json_append(rel->released, o);
	return add_held_by(r, s->port, o);
}

static void note_refused(struct release *rel, const struct service *s)
{
	struct json_object *o = json_object_new_object();

	json_add_text(o, "id", s->id);
	json_add_int(o, "port", s->port);
	json_add_text(o, "user", user_name(s->uid));
	json_append(rel->refused, o);
}

static int release_list(struct request *r, struct release *rel, const struct service_list *list)
{
	int fault = 0;

	for (size_t i = 0; !fault && i < list->n; i++) {
		const struct service *s = &list->services[i];

		if (release_is_allowed(r, s))
			fault = release_one(r, rel, s);
		else
			note_refused(rel, s);
	}
	if (fault || json_object_array_length(rel->released))
		return fault;
	request_extra(r, "refused", json_object_get(rel->refused));
	return request_fail(r, OUTCOME_NOT_ALLOWED,
			    "%s belongs to user %s: only they may release it", list->services[0].id,
			    user_name(list->services[0].uid));
}

int releases_post(struct request *r)
{
	struct release rel = { 0 };
	struct service_list list = { 0 };
	int fault = parse(r, &rel);

	if (fault)
		return fault;
	release_caller_name(r, rel.comm);
	rel.released = json_add_array(r->answer, "released");
	rel.refused = json_add_array(r->answer, "refused");
	fault = registry_for_each_service(r->api->config.registry, &rel.filter, service_list_add,
					  &list);
	if (!fault && list.no_memory)
		fault = -ENOMEM;
	if (!fault)
		fault = list.n ? release_list(r, &rel, &list) : nothing_matched(r, &rel);
	service_list_free(&list);
	return fault;
}
