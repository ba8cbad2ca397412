/* SPDX-License-Identifier: MIT */
#include "tracker/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/identity.h"
#include "base/moment.h"
#include "base/outcome.h"
#include "registry/service_list.h"
#include "tracker/claim.h"
#include "tracker/internal.h"
#include "tracker/judge.h"

#define CHUNK 64 /* claims; a few milliseconds */

enum decision { RELEASE, KEEP_YOUNG, KEEP_IN_USE, KEEP_OTHERS, NOT_ASKED };

static enum decision decide(const struct cleanup *c, const struct service *s,
			    enum service_status status, bool in_use, int64_t age_s)
{
	bool due = age_s > c->older_than_s || (c->stale && status == SERVICE_STALE);

	if (!release_is_allowed(c->actor.uid, s))
		return due && !in_use ? KEEP_OTHERS : NOT_ASKED;
	if (in_use)
		return KEEP_IN_USE;
	return due ? RELEASE : KEEP_YOUNG;
}

static int release(struct tracker *t, struct cleanup *c, const struct service *s,
		   enum service_status status, int64_t age_s)
{
	char why[64], age[32];
	int r = c->due(s, status, age_s, c->user_data);

	c->n_due++;
	if (r || c->dry_run)
		return r;
	snprintf(why, sizeof(why), "untouched for %s", duration_format_long(age_s, age));
	r = claim_release(t, s, why, &c->actor, c->now);
	/* touching the one before may have ended this one: it is gone, as was wished */
	return r == OUTCOME_NO ? 0 : r;
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

static int clean_one(struct tracker *t, struct cleanup *c, const struct service *s)
{
	struct inventory *inv = t->config.inventory;
	/* a time of the future was typed by hand, or the clock was set back: not old */
	int64_t age_s = s->updated_at < c->now ? c->now - s->updated_at : 0;
	struct judgement now = { 0 };
	int r = judge_claim(inv, s, c->now, JUDGE_VERIFIED, &now);
	enum decision decision;
	bool in_use;

	if (r)
		return r;
	/* also a socket that is bound and does not listen yet, and a squatter's */
	in_use = inventory_by_port(inv, inventory_own_netns(inv), s->port, NULL, 0) > 0;
	decision = decide(c, s, now.verdict.status, in_use, age_s);
	free(now.holdings);
	if (decision == RELEASE)
		return release(t, c, s, now.verdict.status, age_s);
	note_left(c, decision, now.verdict.status, age_s);
	return 0;
}

/* Beside the entry of each release: who cleaned up, and by which rule. */
static int write_entry(struct tracker *t, const struct cleanup *c)
{
	char details[160 + IDENTITY_PART_MAX], age[32];

	if (!c->n_due || c->dry_run)
		return 0;
	snprintf(details, sizeof(details),
		 "%zu service%s%s%s released: %suntouched for longer than %s", c->n_due,
		 c->n_due == 1 ? "" : "s", c->project ? " of " : "", c->project ? c->project : "",
		 c->stale ? "stale, or " : "", duration_format_long(c->older_than_s, age));
	return activity_write(&t->activity, &(struct activity){ .action = ACTIVITY_CLEANUP,
								.service = "",
								.details = details,
								.timestamp = c->now,
								.pid = c->actor.pid,
								.uid = c->actor.uid,
								.comm = c->actor.comm });
}

/* "shop", "shop:web" and "shop:web:fix" are of the project shop. */
static bool is_of_project(const char *id, const char *project)
{
	size_t n = strlen(project);

	return strncmp(id, project, n) == 0 && (!id[n] || id[n] == ':');
}

static bool add_to_chunk(const struct service *service, void *chunk)
{
	return service_list_add(service, chunk) && ((struct service_list *)chunk)->n < CHUNK;
}

int cleanup_next(struct tracker *t, struct cleanup *c, bool *ret_more)
{
	const struct service_filter behind = { .status = -1, .after = c->last };
	struct service_list chunk = { 0 };
	int r = registry_for_each_service(t->config.registry, &behind, add_to_chunk, &chunk);

	if (!r && chunk.no_memory)
		r = -ENOMEM;
	for (size_t i = 0; !r && i < chunk.n; i++) {
		const struct service *s = &chunk.services[i];

		if (!c->project || is_of_project(s->id, c->project))
			r = clean_one(t, c, s);
		snprintf(c->last, sizeof(c->last), "%s", s->id);
	}
	*ret_more = !r && chunk.n == CHUNK;
	service_list_free(&chunk);
	return r;
}

int cleanup_end(struct tracker *t, const struct cleanup *c)
{
	return write_entry(t, c);
}
