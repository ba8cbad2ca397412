/* SPDX-License-Identifier: MIT */
/*
 * POST /v1/cleanups: releases the caller's services that nothing has touched for longer than an
 * age, all in one transaction.  The sockets are looked at now: what has one on its port, whoever
 * holds it, stays, whatever its row says: pd cleanup.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/record.h"
#include "api/release.h"
#include "api/routes.h"
#include "api/state.h"
#include "api/view.h"
#include "base/identity.h"
#include "base/moment.h"
#include "registry/service_list.h"
#include "tracker/judge.h"

#define OLDER_THAN_DEFAULT_S (7 * 86400)

struct cleanup {
	int64_t older_than_s;
	bool stale, dry_run;
	const char *project; /* only services of this one; NULL = of all */

	struct service_list all;
	struct json_object *released;
	char comm[RELEASE_COMM_SIZE]; /* of the caller */
	int64_t younger, youngest_s;  /* stale ones that are left */
	int64_t in_use, others;	      /* old enough, and left for another reason */
};

static param_read read_project;

static int handle(struct request *r);

const struct route cleanups_post = {
	.method = ROUTE_POST,
	.path = "/v1/cleanups",
	.handle = handle,
	.params = {
		PARAM_DURATION("olderThan", struct cleanup, older_than_s,
			       .advice = "12h, 7d or 2w", .otherwise = OLDER_THAN_DEFAULT_S),
		PARAM_BOOL("stale", struct cleanup, stale),
		PARAM_BOOL("dryRun", struct cleanup, dry_run),
		PARAM_ROW("project", read_project, struct cleanup, project, const char *),
	},
	.params_size = sizeof(struct cleanup),
};

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

enum decision { RELEASE, KEEP_YOUNG, KEEP_IN_USE, KEEP_OTHERS, NOT_ASKED };

static enum decision decide(const struct request *r, const struct cleanup *c,
			    const struct service *s, enum service_status status, bool in_use,
			    int64_t age_s)
{
	bool due = age_s > c->older_than_s || (c->stale && status == SERVICE_STALE);

	if (!release_is_allowed(r, s))
		return due && !in_use ? KEEP_OTHERS : NOT_ASKED;
	if (in_use)
		return KEEP_IN_USE;
	return due ? RELEASE : KEEP_YOUNG;
}

static void add_released(struct cleanup *c, const struct service *s, enum service_status status,
			 int64_t age_s)
{
	struct json_object *o = json_object_new_object();

	json_add_text(o, "id", s->id);
	json_add_int(o, "port", s->port);
	json_add_text(o, "status", service_status_name(status));
	json_add_int(o, "updatedAt", s->updated_at);
	json_add_int(o, "age", age_s);
	json_add_text(o, "user", user_name(s->uid));
	json_append(c->released, o);
}

static int release(struct request *r, struct cleanup *c, const struct service *s,
		   enum service_status status, int64_t age_s)
{
	char why[64], age[32];
	int fault;

	add_released(c, s, status, age_s);
	if (c->dry_run)
		return 0;
	snprintf(why, sizeof(why), "untouched for %s", duration_format_long(age_s, age));
	fault = release_service(r, s, c->comm, why);
	/* touching the one before may have ended this one: it is gone, as was wished */
	return fault == OUTCOME_NO ? 0 : fault;
}

static void note_left(struct cleanup *c, enum decision decision, enum service_status status,
		      int64_t age_s)
{
	if (decision == KEEP_IN_USE && age_s > c->older_than_s)
		c->in_use++;
	if (decision == KEEP_OTHERS)
		c->others++;
	if (decision != KEEP_YOUNG || status != SERVICE_STALE)
		return;
	if (!c->younger || age_s < c->youngest_s)
		c->youngest_s = age_s;
	c->younger++;
}

static int clean_one(struct request *r, struct cleanup *c, const struct service *s)
{
	const struct inventory *inv = r->api->config.inventory;
	/* a time of the future was typed by hand, or the clock was set back: not old */
	int64_t age_s = s->updated_at < r->now ? r->now - s->updated_at : 0;
	struct judgement now = { 0 };
	int fault = judge_claim(r->api->config.inventory, s, r->now, JUDGE_VERIFIED, &now);
	enum decision decision;
	bool in_use;

	if (fault)
		return fault;
	/* also a socket that is bound and does not listen yet, and a squatter's */
	in_use = inventory_by_port(inv, inventory_own_netns(inv), s->port, NULL, 0) > 0;
	decision = decide(r, c, s, now.verdict.status, in_use, age_s);
	free(now.holdings);
	if (decision == RELEASE)
		return release(r, c, s, now.verdict.status, age_s);
	note_left(c, decision, now.verdict.status, age_s);
	return 0;
}

/* Beside the entry of each release: who cleaned up, and by which rule. */
static int log_cleanup(struct request *r, const struct cleanup *c)
{
	size_t n = json_object_array_length(c->released);
	char details[160 + IDENTITY_PART_MAX], age[32];

	if (!n || c->dry_run)
		return 0;
	snprintf(details, sizeof(details),
		 "%zu service%s%s%s released: %suntouched for longer than %s", n, n == 1 ? "" : "s",
		 c->project ? " of " : "", c->project ? c->project : "",
		 c->stale ? "stale, or " : "", duration_format_long(c->older_than_s, age));
	return record_activity(r, ACTIVITY_CLEANUP, "", 0, c->comm, details);
}

static void add_left(struct request *r, const struct cleanup *c)
{
	struct json_object *left = json_add_object(r->answer, "left");

	json_add_int(left, "younger", c->younger);
	json_add_known(left, "youngestAge", c->youngest_s);
	json_add_int(left, "inUse", c->in_use);
	json_add_int(left, "others", c->others);
}

/* "shop", "shop:web" and "shop:web:fix" are of the project shop. */
static bool is_of_project(const char *id, const char *project)
{
	size_t n = strlen(project);

	return strncmp(id, project, n) == 0 && (!id[n] || id[n] == ':');
}

static int clean(struct request *r, struct cleanup *c)
{
	const struct service_filter filter = { .status = -1 };
	int fault = registry_for_each_service(r->api->config.registry, &filter, service_list_add,
					      &c->all);

	if (!fault && c->all.no_memory)
		fault = -ENOMEM;
	for (size_t i = 0; !fault && i < c->all.n; i++)
		if (!c->project || is_of_project(c->all.services[i].id, c->project))
			fault = clean_one(r, c, &c->all.services[i]);
	return fault ? fault : log_cleanup(r, c);
}

static int handle(struct request *r)
{
	struct cleanup *c = r->params;
	int fault;

	release_caller_name(r, c->comm);
	json_add_int(r->answer, "olderThan", c->older_than_s);
	json_add_text(r->answer, "project", c->project);
	json_add_bool(r->answer, "dryRun", c->dry_run);
	c->released = json_add_array(r->answer, "released");
	fault = clean(r, c);
	service_list_free(&c->all);
	if (!fault)
		add_left(r, c);
	return fault;
}
