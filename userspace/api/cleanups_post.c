/* SPDX-License-Identifier: MIT */
/*
 * POST /v1/cleanups: releases the caller's services that nothing has touched for long: pd cleanup.
 * Thousands of them are looked at in parts.
 */
#include <string.h>

#include "api/match.h"
#include "api/routes.h"
#include "api/state.h"
#include "base/clock.h"
#include "base/identity.h"
#include "base/user.h"
#include "http/parts.h"
#include "tracker/cleanup.h"

#define OLDER_THAN_DEFAULT_S (7 * 86400)

static param_read read_project;

ROUTE(cleanups_post, POST, "/v1/cleanups", struct cleanup,
      PARAM_DURATION("olderThan", struct cleanup, older_than_s, .advice = "12h, 7d or 2w",
		     .otherwise = OLDER_THAN_DEFAULT_S),
      PARAM_BOOL("stale", struct cleanup, stale), PARAM_BOOL("dryRun", struct cleanup, dry_run),
      PARAM_ROW("project", read_project, struct cleanup, project, const char *));

static int read_project(struct request *r, const struct param *p, const struct param_value *value,
			void *ret)
{
	const char *text = value->text, *why;

	if (strchr(text, ':') || identity_check(text, &why))
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "project \"%.64s\" is no name of a project; write it like shop",
				    text);
	*(const char **)ret = text;
	return 0;
}

static int on_due(const struct service *s, enum service_status status, int64_t age_s,
		  void *user_data)
{
	struct request *r = user_data;
	const struct cleanup *c = r->params;
	struct json_object *o = json_append_object(json_object_object_get(r->answer, "released"));
	char id[IDENTITY_MAX + 1];

	json_add_text(o, "id", match_shown_id(r, s->id, s->uid, id));
	json_add_int(o, "port", s->port);
	json_add_text(o, "status", service_status_name(status));
	json_add_int(o, "updatedAt", s->updated_at);
	json_add_int(o, "age", age_s);
	json_add_text(o, "user", user_name(s->uid));
	return c->dry_run ? 0 : request_begin_write(r);
}

static int part(struct request *r, bool *ret_more)
{
	struct cleanup *c = r->params;
	uint64_t began_us = clock_us(CLOCK_MONOTONIC);
	char comm[REQUEST_COMM_SIZE];
	int fault;

	c->actor = (struct release_actor){ r->pid, r->uid, request_caller_name(r, comm) };
	c->due = on_due;
	c->user_data = r;
	do
		fault = cleanup_next(r->api->config.tracker, c, ret_more);
	while (!fault && *ret_more && !parts_is_over(began_us));
	return fault;
}

static int end(struct request *r, int fault)
{
	struct cleanup *c = r->params;
	char comm[REQUEST_COMM_SIZE];
	struct json_object *left;

	c->actor.comm = request_caller_name(r, comm);
	fault = fault ?: cleanup_end(r->api->config.tracker, c);
	if (fault)
		return fault;
	left = json_add_object(r->answer, "left");
	json_add_int(left, "younger", c->younger);
	json_add_known(left, "youngestAge", c->youngest_s);
	json_add_int(left, "inUse", c->in_use);
	json_add_int(left, "others", c->others);
	return 0;
}

static int handle(struct request *r)
{
	static const struct parts_calls calls = { part, end };
	struct cleanup *c = r->params;

	c->now = r->now;
	json_add_int(r->answer, "olderThan", c->older_than_s);
	json_add_text(r->answer, "project", c->project);
	json_add_bool(r->answer, "dryRun", c->dry_run);
	json_add_array(r->answer, "released");
	return parts_run(r, &calls);
}
