/* SPDX-License-Identifier: MIT */
/*
 * POST /v1/releases: an id, a pattern, or ":PORT"; only what belongs to the caller: pd release.
 * Thousands of claims are released in parts.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api/match.h"
#include "api/routes.h"
#include "api/state.h"
#include "base/clock.h"
#include "http/answer.h"
#include "http/parts.h"
#include "registry/service_list.h"
#include "tracker/claim.h"
#include "tracker/judge.h"

#define CHUNK 64 /* claims; a millisecond or two */

struct release {
	struct match match; /* of a pattern, what is not the caller's is skipped */

	struct json_object *released, *refused;
	char last[IDENTITY_MAX + 1]; /* that was looked at */
	size_t n_before;	     /* released by the parts before this one */
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

static struct json_object *add_claim(struct request *r, struct json_object *list,
				     const struct service *s)
{
	struct json_object *o = json_append_object(list);
	char id[IDENTITY_MAX + 1];

	json_add_text(o, "id", match_shown_id(r, s->id, s->uid, id));
	json_add_int(o, "port", s->port);
	return o;
}

static int release_one(struct request *r, struct release *rel, const struct service *s,
		       const struct release_actor *actor)
{
	int fault = request_begin_write(r);

	fault = fault ?: claim_release(r->api->config.tracker, s, NULL, actor, r->now);
	return fault ? fault : add_held_by(r, s->port, add_claim(r, rel->released, s));
}

/* Copied out of the registry's cursor: inside it nothing may be written. */
static bool add_to_chunk(const struct service *s, void *chunk)
{
	return service_list_add(s, chunk) && ((struct service_list *)chunk)->n < CHUNK;
}

static int release_chunk(struct request *r, struct release *rel, const struct service_list *chunk)
{
	char comm[REQUEST_COMM_SIZE];
	const struct release_actor actor = { r->pid, r->uid, request_caller_name(r, comm) };
	int fault = 0;

	for (size_t i = 0; !fault && i < chunk->n; i++) {
		const struct service *s = &chunk->services[i];

		if (release_is_allowed(r->uid, s))
			fault = release_one(r, rel, s, &actor);
		else
			json_add_text(add_claim(r, rel->refused, s), "user", user_name(s->uid));
		snprintf(rel->last, sizeof(rel->last), "%s", s->id);
	}
	return fault;
}

static int release_next(struct request *r, struct release *rel, bool *ret_more)
{
	struct service_list chunk = { 0 };
	int fault = registry_for_each_service(r->api->config.registry, &rel->match.filter,
					      add_to_chunk, &chunk);

	if (!fault && chunk.no_memory)
		fault = -ENOMEM;
	fault = fault ?: release_chunk(r, rel, &chunk);
	*ret_more = !fault && chunk.n == CHUNK;
	rel->match.filter.after = rel->last;
	service_list_free(&chunk);
	return fault;
}

static int part(struct request *r, bool *ret_more)
{
	struct release *rel = r->params;
	uint64_t began_us = clock_us(CLOCK_MONOTONIC);
	int fault;

	if (!rel->released) {
		rel->released = json_add_array(r->answer, "released");
		rel->refused = json_add_array(r->answer, "refused");
	}
	rel->n_before = json_object_array_length(rel->released);
	do
		fault = release_next(r, rel, ret_more);
	while (!fault && *ret_more && !parts_is_over(began_us));
	return fault;
}

static int end(struct request *r, int fault)
{
	struct release *rel = r->params;
	struct json_object *first;

	if (fault && rel->n_before)
		return request_fail(r, answer_outcome(fault), "%zu claims were released, then: %s",
				    rel->n_before,
				    registry_strerror(r->api->config.registry, fault));
	if (fault || json_object_array_length(rel->released))
		return fault;
	if (!json_object_array_length(rel->refused))
		return nothing_matched(r, rel);
	request_extra(r, "refused", json_object_get(rel->refused));
	first = json_object_array_get_idx(rel->refused, 0);
	return request_fail(r, OUTCOME_NOT_ALLOWED,
			    "%s belongs to user %s: only they may release it",
			    json_text_of(first, "id"), json_text_of(first, "user"));
}

static int handle(struct request *r)
{
	static const struct parts_calls calls = { part, end };

	return parts_run(r, &calls);
}
