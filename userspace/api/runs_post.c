/* SPDX-License-Identifier: MIT */
/*
 * POST /v1/runs: begins a run whose pd is whoever connected, never whom the body names: pd run.
 * With "run", the pd of that run, or whoever ends it, says what has become of it, and after a
 * restart of the daemon that it is still there.
 */
#include <errno.h>
#include <string.h>

#include "api/routes.h"
#include "api/state.h"
#include "base/procfs.h"
#include "base/user.h"
#include "runs/runs.h"

struct beginning {
	const char *service; /* NULL = of none */
	uint32_t run;	     /* 0 = a new one */
	int state;	     /* enum run_state that is told of `run` */
};

static param_read read_run, read_state;

ROUTE(runs_post, POST, "/v1/runs", struct beginning, PARAM_ID("id", struct beginning, service),
      PARAM_ROW("run", read_run, struct beginning, run, uint32_t),
      PARAM_ROW("state", read_state, struct beginning, state, int));

static int read_run(struct request *r, const struct param *p, const struct param_value *value,
		    void *ret)
{
	uint32_t number = run_id_parse(value->text);

	if (!number)
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "\"%.32s\" is no run; pd ps lists them: run-0a1b2c3d",
				    value->text);
	*(uint32_t *)ret = number;
	return 0;
}

static int read_state(struct request *r, const struct param *p, const struct param_value *value,
		      void *ret)
{
	int state = run_state_of_name(value->text);

	if (state < 0 || state == RUN_UNATTENDED)
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "state \"%.32s\" is none that is told: starting, ready, "
				    "detached, ending",
				    value->text);
	*(int *)ret = state;
	return 0;
}

static int answer(struct request *r, const struct run *run)
{
	char id[RUN_ID_SIZE];

	json_add_text(r->answer, "id", run_id_format(run->number, id));
	json_add_text(r->answer, "service", run->service);
	json_add_known(r->answer, "port", run->port);
	json_add_text(r->answer, "state", run_state_name(run->state));
	json_add_int(r->answer, "since", run->since);
	json_add_bool(r->answer, "followed", runs_are_followed(r->api->runs));
	return 0;
}

static int change(struct request *r, const struct beginning *b)
{
	const struct run *run = registry_run(r->api->config.registry, b->run);
	char id[RUN_ID_SIZE];

	run_id_format(b->run, id);
	if (!run)
		return request_fail(r, OUTCOME_NO, "there is no run %s", id);
	if (!user_may_see(r->uid, run->uid))
		return request_fail(r, OUTCOME_NOT_ALLOWED, "%s belongs to user %s", id,
				    user_name(run->uid));
	runs_set_state(r->api->runs, run, (enum run_state)b->state);
	return answer(r, run);
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
	const struct service_filter filter = { .pattern = id, .status = -1 };
	int fault = registry_for_each_service(r->api->config.registry, &filter, copy_claim, run);

	if (fault || run->port)
		return fault;
	return request_fail(r, OUTCOME_NO, "there is no claim of %s; pd claim makes one", id);
}

static int handle(struct request *r)
{
	const struct beginning *b = r->params;
	struct run wanted = { .uid = r->uid };
	enum quota_outcome excess;
	const struct run *run;
	int fault = 0;

	if (b->run)
		return change(r, b);
	if (b->service)
		fault = find_claim(r, b->service, &wanted);
	if (fault)
		return fault;
	if (!r->pid || procfs_identity(r->pid, &wanted.pd))
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "whoever asks is not visible from here (another pid namespace, "
				    "or it has ended)");
	fault = runs_begin(r->api->runs, &wanted, &run, &excess);
	if (fault == RUNS_LIMIT)
		return request_fail_quota(r, QUOTA_RUNS, excess);
	if (fault == RUNS_PROCESS_ENDED)
		return request_fail(r, OUTCOME_BAD_REQUEST, "whoever asks has ended");
	return fault ? fault : answer(r, run);
}
