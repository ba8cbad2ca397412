/* SPDX-License-Identifier: MIT */
/*
 * POST /v1/runs: begins a run whose pd is whoever connected, never whom the body names: pd run.
 * With "run", the pd of that run, or whoever ends it, says what has become of it; where it is not
 * known, for a daemon was killed before it was stored, its pd begins it once more.
 */

#include "api/match.h"
#include "api/routes.h"
#include "api/run_number.h"
#include "api/state.h"
#include "base/procfs.h"
#include "base/user.h"
#include "runs/runs.h"

struct beginning {
	const char *service;	     /* NULL = of none */
	uint32_t run;		     /* 0 = a new one */
	struct json_object *members; /* pids of it that the caller has found; NULL = none */
	const char *project;	     /* directory of the runs that reach each other; NULL = none */
	struct json_object *hardcoded; /* [{"askedPort": 3000, "port": 5742}, …]; NULL = none */
	bool transparent;	       /* it is told them as it has asked for them */
	int state;		       /* what is told of `run`: enum run_state + 1; 0 = nothing */
};

#define MEMBERS_MAX 16384 /* as many as the kernel side keeps */

static param_read read_state, read_members, read_hardcoded;

ROUTE(runs_post, POST, "/v1/runs", struct beginning, PARAM_ID("id", struct beginning, service),
      PARAM_RUN("run", struct beginning, run), PARAM_TEXT("project", struct beginning, project),
      PARAM_ROW("hardcoded", read_hardcoded, struct beginning, hardcoded, struct json_object *,
		.of_any_type = true),
      PARAM_BOOL("transparent", struct beginning, transparent),
      PARAM_ROW("state", read_state, struct beginning, state, int),
      PARAM_ROW("members", read_members, struct beginning, members, struct json_object *,
		.of_any_type = true));

static int read_state(struct request *r, const struct param *p, const struct param_value *value,
		      void *ret)
{
	int state = run_state_of_name(value->text);

	if (state < 0 || state == RUN_UNATTENDED)
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "state \"%.32s\" is none that is told: starting, ready, "
				    "detached, ending",
				    value->text);
	*(int *)ret = state + 1;
	return 0;
}

static int read_members(struct request *r, const struct param *p, const struct param_value *value,
			void *ret)
{
	if (!json_object_is_type(value->json, json_type_array) ||
	    json_object_array_length(value->json) > MEMBERS_MAX)
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "\"members\" is no list of pids: [4711, 4712]");
	*(struct json_object **)ret = value->json;
	return 0;
}

static int read_hardcoded(struct request *r, const struct param *p, const struct param_value *value,
			  void *ret)
{
	if (!json_object_is_type(value->json, json_type_array) ||
	    json_object_array_length(value->json) > RUN_HARDCODED_MAX)
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "\"hardcoded\" is no list of at most %d ports: "
				    "[{\"askedPort\": 3000, \"port\": 5742}]",
				    RUN_HARDCODED_MAX);
	*(struct json_object **)ret = value->json;
	return 0;
}

static int join_members(struct request *r, const struct run *run, struct json_object *pids)
{
	size_t n = pids ? json_object_array_length(pids) : 0;
	int fault = 0;

	for (size_t i = 0; !fault && i < n; i++)
		fault = runs_join(r->api->runs, run,
				  json_object_get_int(json_object_array_get_idx(pids, i)), r->uid);
	return fault;
}

static int answer(struct request *r, const struct run *run)
{
	char id[RUN_ID_SIZE];

	json_add_text(r->answer, "id", run_id_format(run->number, id));
	json_add_text(r->answer, "service", run->service);
	json_add_known(r->answer, "port", run->port);
	json_add_text(r->answer, "state", run_state_name(run->state));
	json_add_int(r->answer, "since", run->since);
	json_add_bool(r->answer, "rewritten", run->has_rules && run->n_hardcoded);
	json_add_bool(r->answer, "transparent", run->transparent);
	json_add_bool(r->answer, "followed", runs_are_followed(r->api->runs));
	return 0;
}

static int change(struct request *r, const struct beginning *b)
{
	const struct run *run = registry_run(r->api->config.registry, b->run);
	char id[RUN_ID_SIZE];
	int fault;

	run_id_format(b->run, id);
	if (!user_may_see(r->uid, run->uid))
		return request_fail(r, OUTCOME_NOT_ALLOWED, "%s belongs to user %s", id,
				    user_name(run->uid));
	if (b->state)
		runs_set_state(r->api->runs, run, (enum run_state)(b->state - 1));
	fault = join_members(r, run, b->members);
	fault = fault ?: answer(r, run);
	if (!fault && b->members)
		runs_are_told(r->api->runs, run);
	return fault;
}

static bool copy_claim(const struct service *s, void *user_data)
{
	struct run *run = user_data;

	snprintf(run->service, sizeof(run->service), "%s", s->id);
	run->port = s->port;
	return s->uid == run->uid || !run->uid;
}

static int find_claim(struct request *r, const char *id, struct run *run)
{
	struct registry *registry = r->api->config.registry;
	char own[IDENTITY_MAX + 1];
	struct service_filter filter = { .pattern = id, .status = -1 };
	int fault = match_meant(r, &filter.pattern, own);

	fault = fault ?: registry_for_each_service(registry, &filter, copy_claim, run);

	if (fault || run->port)
		return fault;
	return request_fail(r, OUTCOME_NO, "there is no claim of %s; pd claim makes one", id);
}

struct claim_of {
	uid_t uid; /* 0 = anybody's */
	bool found;
};

static bool is_claim_of(const struct service *s, void *user_data)
{
	struct claim_of *of = user_data;

	of->found = !of->uid || s->uid == of->uid;
	return false;
}

/* What a hard-coded port becomes is claimed, too: nobody is given another's port. */
static int find_hardcoded(struct request *r, struct json_object *pair, struct run *run)
{
	struct json_object *asked = NULL, *port = NULL;
	struct claim_of of = { .uid = run->uid };
	struct service_filter filter = { .status = -1 };
	int64_t from, to;
	int fault;

	json_object_object_get_ex(pair, "askedPort", &asked);
	json_object_object_get_ex(pair, "port", &port);
	from = json_object_get_int64(asked);
	to = json_object_get_int64(port);
	if (from < 1 || from > UINT16_MAX || to < 1 || to > UINT16_MAX || from == to)
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "a hard-coded port is {\"askedPort\": 3000, \"port\": 5742}, "
				    "two ports that differ");
	for (size_t i = 0; i < run->n_hardcoded; i++)
		if (run->hardcoded[i].asked == from || run->hardcoded[i].port == to)
			return request_fail(r, OUTCOME_BAD_REQUEST,
					    "the hard-coded port %d or its port %d is there twice",
					    (int)from, (int)to);
	filter.port = (uint16_t)to;
	fault = registry_for_each_service(r->api->config.registry, &filter, is_claim_of, &of);
	if (!fault && !of.found)
		return request_fail(r, OUTCOME_NOT_ALLOWED, "port %d is no claim of user %s",
				    (int)to, user_name(run->uid));
	run->hardcoded[run->n_hardcoded++] = (struct run_hardcoded){ (uint16_t)from, (uint16_t)to };
	return fault;
}

static int handle(struct request *r)
{
	const struct beginning *b = r->params;
	struct run wanted = { .number = b->run, .uid = r->uid };
	enum quota_outcome excess;
	const struct run *run;
	int fault = 0;

	if (b->run && registry_run(r->api->config.registry, b->run))
		return change(r, b);
	if (b->run && !b->service)
		return request_fail(r, OUTCOME_NO, "there is no such run");
	if (b->service)
		fault = find_claim(r, b->service, &wanted);
	if (fault)
		return fault;
	if (!r->pid || procfs_identity(r->pid, &wanted.pd))
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "whoever asks is not visible from here (another pid namespace, "
				    "or it has ended)");
	wanted.transparent = b->transparent;
	wanted.project = run_project(b->project ? b->project : "", r->uid);
	for (size_t i = 0; b->hardcoded && i < json_object_array_length(b->hardcoded); i++) {
		fault = find_hardcoded(r, json_object_array_get_idx(b->hardcoded, i), &wanted);
		if (fault)
			return fault;
	}
	fault = runs_begin(r->api->runs, &wanted, &run, &excess);
	if (fault == RUNS_LIMIT)
		return request_fail_quota(r, QUOTA_RUNS, excess);
	if (fault == RUNS_PROCESS_ENDED)
		return request_fail(r, OUTCOME_BAD_REQUEST, "whoever asks has ended");
	fault = fault ?: join_members(r, run, b->members);
	return fault ? fault : answer(r, run);
}
