/* SPDX-License-Identifier: MIT */
/*
 * GET /v1/health (pd health): a round of checks, answered as a stream of JSON lines.
 *
 *   {"ok":true,"version":1,"stream":"health","total":3}    at once
 *   {"service":{…}}                                        as each is known
 *   {"waiting":1,"total":3}                                each second while some are not
 *   {"ok":true,"version":1,"healthy":2,"unhealthy":1,…}    at the end
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api/match.h"
#include "api/routes.h"
#include "api/state.h"
#include "base/health_path.h"
#include "base/identity.h"
#include "base/log.h"
#include "base/quota.h"
#include "http/answer.h"
#include "http/commit.h"
#include "http/lines.h"
#include "http/parse.h"
#include "view/health.h"

#define TIMEOUT_DEFAULT_S 5
#define TIMEOUT_MAX_S	  300 /* a client that waits longer than that is not coming back */

/* The names that whoever asks has for services are replaced by those that are stored. */
#define PATHS_SIZE (2 * PARSE_PARAM_MAX_BYTES + 1)

struct question {
	struct match match;
	int64_t timeout_s;
	char paths[PATHS_SIZE]; /* as health_asker has them */
};

static param_read read_paths;

ROUTE(health_get, GET, "/v1/health", struct question, PARAM_MATCH("match", struct question, match),
      PARAM_DURATION("timeout", struct question, timeout_s, .advice = "5s or 1m", .min = 1,
		     .max = TIMEOUT_MAX_S, .otherwise = TIMEOUT_DEFAULT_S),
      PARAM_ROW("paths", read_paths, struct question, paths, char[PATHS_SIZE]));

static int read_paths(struct request *r, const struct param *p, const struct param_value *value,
		      void *data)
{
	char text[PARSE_PARAM_MAX_BYTES + 1], stored[IDENTITY_MAX + 1];
	char *rest = text, *ret = data;
	size_t used = 0;

	snprintf(text, sizeof(text), "%s", value->text);
	while (rest) {
		const char *id = strsep(&rest, " "), *path = strsep(&rest, " ");
		struct health_path parsed;
		int fault;

		if (!path || identity_check(id, NULL) || health_path_parse(path, &parsed, NULL))
			return request_fail(r, OUTCOME_BAD_REQUEST,
					    "%s \"%.64s\" cannot be read; write it like shop:api "
					    "/health shop:web /",
					    p->name, value->text);
		fault = match_meant(r, &id, stored);
		if (fault)
			return fault;
		used += (size_t)snprintf(ret + used, PATHS_SIZE - used, "%s%s %s", used ? " " : "",
					 id, path);
		if (used >= PATHS_SIZE)
			return request_fail(r, OUTCOME_BAD_REQUEST, "%s is too long", p->name);
	}
	return 0;
}

/* Lasts until the round has ended. */
struct watching {
	struct api *api;
	struct lines *lines; /* NULL before the answer, and once the client has left */
	struct health_round *round;
	uid_t user; /* request_user() */
};

/* --- the lines --- */

static void put(struct watching *w, struct json_object *line)
{
	if (w->lines)
		lines_put(w->lines, line);
	json_object_put(line);
}

static void on_counted(size_t total, void *user_data)
{
	struct json_object *line = answer_ok_new();

	json_add_text(line, "stream", "health");
	json_add_int(line, "total", (int64_t)total);
	put(user_data, line);
}

static void on_known(const struct health_item *item, void *user_data)
{
	struct json_object *line = json_object_new_object();
	struct watching *w = user_data;
	char id[IDENTITY_MAX + 1];

	registry_shown_id(w->api->config.registry, item->id, item->uid, w->user, id);
	json_add(line, "service", view_health_item(item, id));
	put(w, line);
}

static void put_summary(struct watching *w, const struct health_counts *counts)
{
	struct json_object *line = answer_ok_new();

	json_add_int(line, "healthy", counts->by_wellness[WELLNESS_WELL]);
	json_add_int(line, "unhealthy", counts->by_wellness[WELLNESS_ILL]);
	json_add_int(line, "unchecked", counts->by_wellness[WELLNESS_UNKNOWN]);
	json_add_int(line, "notTried", counts->not_tried);
	json_add_bool(line, "stored", counts->stored);
	json_add_int(line, "elapsedMs", counts->elapsed_ms);
	put(w, line);
}

/* --- the round --- */

static void on_step_due(void *user_data)
{
	struct watching *w = user_data;

	lines_continue(w->lines);
}

static int on_stage(void (*committed)(int error, void *round), void *round, void *user_data)
{
	struct watching *w = user_data;

	return commit_stage_call(server_commits(w->api->server), committed, round);
}

static void on_ended(const struct health_round *round, void *user_data)
{
	_cleanup_free_ struct watching *w = user_data;
	struct health_counts counts = health_round_counts(round);

	if (!w->lines)
		return;
	put_summary(w, &counts);
	lines_finish(w->lines);
}

static const struct health_round_calls round_calls = { on_counted, on_known, on_step_due, on_stage,
						       on_ended };

static void on_step(void *user_data)
{
	struct watching *w = user_data;
	int r = health_round_step(w->round);

	if (!r)
		return;
	log_error("a health check was given up: %s", strerror(-r));
	lines_drop(w->lines);
}

static void on_tick(void *user_data)
{
	struct watching *w = user_data;
	struct health_counts counts = health_round_counts(w->round);
	struct json_object *line;

	if (!counts.waiting)
		return;
	line = json_object_new_object();
	json_add_int(line, "waiting", (int64_t)counts.waiting);
	json_add_int(line, "total", (int64_t)counts.total);
	put(w, line);
	health_round_go_on(w->round);
}

static void on_left(void *user_data)
{
	struct watching *w = user_data;

	w->lines = NULL;
	health_round_cancel(w->round);
}

static const struct lines_calls lines_calls = { on_left, on_step, on_tick };

/* --- the request --- */

static int nothing_matched(struct request *r, const struct match *match)
{
	if (match->filter.port)
		return request_fail(r, OUTCOME_NO,
				    "no service owns port %u; what is on it: pd why %u",
				    match->filter.port, match->filter.port);
	return match_fail(r, match);
}

static int new_round(struct request *r, const struct question *q, struct watching *w)
{
	struct service_filter filter = q->match.filter;
	char comm[REQUEST_COMM_SIZE];
	const struct health_asker asker = { r->pid, r->uid, request_caller_name(r, comm),
					    *q->paths ? q->paths : NULL };

	if (!q->match.text)
		filter.status = -1;
	return health_round_new(&r->api->checks, &filter, &asker, q->timeout_s, &round_calls, w,
				&w->round);
}

static int handle(struct request *r)
{
	const struct question *q = r->params;
	_cleanup_free_ struct watching *w = NULL;
	/* later ones of the round wait for their turn */
	int fault = quota_check(r->api->quota, r->uid, QUOTA_HEALTH_CHECKS, 1);

	if (fault)
		return request_fail_quota(r, QUOTA_HEALTH_CHECKS, fault);
	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->api = r->api;
	w->user = request_user(r);
	fault = new_round(r, q, w);
	if (fault)
		return fault;
	if (q->match.text && !health_round_counts(w->round).total)
		fault = nothing_matched(r, &q->match);
	fault = fault ?: lines_begin(r, &lines_calls, w, &w->lines);
	if (fault) {
		health_round_free(w->round);
		return fault;
	}
	on_step(TAKE_PTR(w));
	return 0;
}
