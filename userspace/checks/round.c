/* SPDX-License-Identifier: MIT */
#include "checks/round.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/health_path.h"
#include "base/log.h"
#include "registry/health.h"
#include "registry/service_list.h"
#include "tracker/activity.h"
#include "tracker/tracker.h"

/* Services in one step of a round, some 3 ms; the loop turns in between. */
#define STEP_SERVICES 128
/* Claims copied in one step, before the first is looked at: the total is told first. */
#define STEP_CLAIMS 500

struct health_round {
	const struct checks *checks;
	const struct health_round_calls *calls;
	void *user_data;
	uint64_t began_us;
	int64_t timeout_s;
	struct service_filter filter;
	char *pattern;		      /* of the filter; NULL = none */
	char *paths;		      /* of whoever asks; NULL = none */
	struct service_list services; /* all of them, once `gathered` */
	bool gathered;
	size_t n_seen;		    /* of which so many have been looked at */
	struct health_item **items; /* those that are connected to */
	size_t n_items, n_waiting;
	int64_t counts[WELLNESS_UNKNOWN + 1], n_not_tried;
	unsigned commits; /* that will call back */
	bool counted, stored, cancelled, ended;
	pid_t pid;
	uid_t uid;
	char comm[4 * PROCESS_COMM_SIZE];
};

static size_t n_unknown(const struct health_round *round)
{
	return round->services.n - round->n_seen + round->n_waiting;
}

struct health_counts health_round_counts(const struct health_round *round)
{
	struct health_counts counts = {
		.total = round->services.n,
		.waiting = n_unknown(round),
		.not_tried = round->n_not_tried,
		.stored = round->stored,
		.elapsed_ms = (int64_t)((clock_us(CLOCK_MONOTONIC) - round->began_us) / 1000),
	};

	memcpy(counts.by_wellness, round->counts, sizeof(counts.by_wellness));
	return counts;
}

void health_round_go_on(struct health_round *round)
{
	bool left = !round->gathered || round->n_seen < round->services.n;

	if (left && !round->cancelled && !round->ended)
		round->calls->step_due(round->user_data);
}

static void tell(struct health_round *round, const struct health_item *item)
{
	if (!round->cancelled)
		round->calls->known(item, round->user_data);
}

/* --- the end --- */

static void item_free(struct health_item *item)
{
	if (!item)
		return;
	health_item_deinit(item);
	free(item);
}

void health_round_free(struct health_round *round)
{
	for (size_t i = 0; i < round->n_items; i++)
		item_free(round->items[i]);
	service_list_free(&round->services);
	free(round->items);
	free(round->pattern);
	free(round->paths);
	free(round);
}

/* A change is worth an entry; so is the first time that asking found it ill. */
static bool is_news(const struct health_item *item)
{
	const struct health_previous *p = &item->previous;
	bool was_asked = p->known && p->elapsed_us >= 0;

	if (item->wellness == WELLNESS_ILL && item->was_asked)
		return !was_asked || p->wellness == WELLNESS_WELL;
	if (item->wellness == WELLNESS_UNKNOWN || !p->known)
		return false;
	return item->wellness != p->wellness;
}

static int log_change(struct health_round *round, const struct health_item *item)
{
	char details[HEALTH_SENTENCE_SIZE];

	return activity_write(tracker_activity(round->checks->tracker),
			      &(struct activity){
				      .action = ACTIVITY_HEALTH,
				      .service = item->id,
				      .details = health_item_sentence(item, details),
				      .timestamp = item->checked_at,
				      .port = item->port,
				      .pid = round->pid,
				      .uid = round->uid,
				      .comm = round->comm,
			      });
}

static int store_item(struct health_round *round, const struct health_item *item)
{
	char url[HEALTH_URL_SIZE];
	const struct health_record record = {
		.id = item->id,
		.checked_at = item->checked_at,
		.result = item->result,
		.http_status = item->answer.http_status,
		.elapsed_us = item->was_asked ? (int64_t)item->answer.elapsed_us : -1,
		.url = health_item_url(item, url),
		.details = item->answer.details,
	};
	int r = registry_store_health(round->checks->registry, &record);

	if (r == OUTCOME_NO) /* released while it was checked */
		return 0;
	return !r && is_news(item) ? log_change(round, item) : r;
}

static void on_committed(int error, void *user_data);

/* What was stored so far of it goes into the commit of this turn, which on_committed() learns of.
 */
static void stage(struct health_round *round)
{
	int r = registry_begin(round->checks->registry);

	if (r)
		log_error("results of health checks were not stored: %s",
			  registry_strerror(round->checks->registry, r));
	round->stored = round->stored && !r;
	round->commits++;
	if (round->calls->stage(on_committed, round, round->user_data))
		on_committed(-ENOMEM, round);
}

static void store(struct health_round *round, const struct health_item *item)
{
	int r = registry_begin(round->checks->registry);

	r = r ?: store_item(round, item);
	if (!r)
		return;
	log_error("the result of a health check was not stored: %s",
		  registry_strerror(round->checks->registry, r));
	round->stored = false;
}

static void on_committed(int error, void *user_data)
{
	struct health_round *round = user_data;

	round->stored = round->stored && !error;
	if (--round->commits || !round->ended)
		return;
	round->calls->ended(round, round->user_data);
	health_round_free(round);
}

/* From here on the round is the commit's, which calls back. */
static void end(struct health_round *round)
{
	for (size_t i = 0; i < round->n_items; i++)
		if (round->items[i]->known && !round->items[i]->not_tried)
			store(round, round->items[i]);
	round->ended = true;
	stage(round);
}

void health_round_cancel(struct health_round *round)
{
	round->cancelled = true;
	for (size_t i = 0; i < round->n_items; i++) {
		health_check_cancel(round->items[i]->check);
		round->items[i]->check = NULL;
	}
	round->n_waiting = 0;
	if (!round->ended)
		end(round);
}

/* --- the round --- */

static void end_if_all_is_known(struct health_round *round)
{
	if (round->gathered && !n_unknown(round))
		end(round);
}

static void on_checked(const struct health_answer *answer, void *user_data)
{
	struct health_item *item = user_data;
	struct health_round *round = item->round;

	item->check = NULL;
	health_item_answer(item, answer, time(NULL));
	round->counts[item->wellness]++;
	round->n_not_tried += item->not_tried;
	tell(round, item);
	round->n_waiting--;
	health_round_go_on(round);
	end_if_all_is_known(round);
}

static int start_check(struct health_round *round, struct health_item *item)
{
	struct health_item **grown = reallocarray(round->items, round->n_items + 1,
						  sizeof(struct health_item *));
	int r;

	if (!grown)
		return -ENOMEM;
	round->items = grown;
	r = health_check_start(round->checks->health, &item->target, round->uid,
			       clock_us(CLOCK_MONOTONIC), (unsigned)round->timeout_s * 1000,
			       on_checked, item, &item->check);
	if (r)
		return r;
	round->items[round->n_items++] = item;
	round->n_waiting++;
	return 0;
}

/* The health path that whoever asks has for it now, in ret; else the stored one. */
static const char *path_now(const struct health_round *round, const struct service *service,
			    char ret[static HEALTH_PATH_SIZE])
{
	size_t n_id = strlen(service->id);
	const char *id = round->paths;

	while (id && *id) {
		size_t n = strcspn(id, " ");
		const char *path = id + n + strspn(id + n, " ");
		size_t n_path = strcspn(path, " ");

		if (n == n_id && memcmp(id, service->id, n) == 0) {
			snprintf(ret, HEALTH_PATH_SIZE, "%.*s", (int)n_path, path);
			return ret;
		}
		id = path + n_path + strspn(path + n_path, " ");
	}
	return service->health_path;
}

/* Looks at one service.  0; an enum quota_outcome when no check can be started now; -errno. */
static int look(struct health_round *round, const struct service *service, int64_t now)
{
	struct health_item *item = calloc(1, sizeof(*item));
	struct service now_is = *service;
	char path[HEALTH_PATH_SIZE];
	int r;

	if (!item)
		return -ENOMEM;
	now_is.health_path = path_now(round, service, path);
	r = health_item_init(round->checks, &now_is, now, item);
	item->round = round;
	if (!r && item->connects)
		r = start_check(round, item);
	if (!r && item->connects)
		return 0; /* the round's until its end */
	if (!r) {
		round->counts[item->wellness]++;
		tell(round, item);
		store(round, item);
	}
	item_free(item);
	return r;
}

/* Looks at the next few.  0, or as look(). */
static int step(struct health_round *round, int64_t now)
{
	size_t last = round->n_seen + STEP_SERVICES;
	int r = 0;

	if (last > round->services.n)
		last = round->services.n;
	while (!r && round->n_seen < last) {
		r = look(round, &round->services.services[round->n_seen], now);
		round->n_seen += !r;
	}
	return r;
}

struct gathering {
	struct service_list *list;
	size_t until;
};

static bool gather_one(const struct service *service, void *user_data)
{
	const struct gathering *g = user_data;

	return service_list_add(service, g->list) && g->list->n < g->until;
}

/* Copies the next claims that were asked for. */
static int gather(struct health_round *round)
{
	struct service_list *list = &round->services;
	struct gathering g = { list, list->n + STEP_CLAIMS };
	struct service_filter filter = round->filter;
	int r;

	filter.after = list->n ? list->services[list->n - 1].id : NULL;
	r = registry_for_each_service(round->checks->registry, &filter, gather_one, &g);
	round->gathered = list->n < g.until;
	return !r && list->no_memory ? -ENOMEM : r;
}

/* 0; an enum quota_outcome when it has to wait for other checks to end; negative errno. */
static int take_step(struct health_round *round)
{
	bool was_gathered = round->gathered;
	int r = was_gathered ? 0 : gather(round);

	if (r)
		return r;
	if (round->gathered && !round->counted) {
		round->counted = true;
		round->calls->counted(round->services.n, round->user_data);
	}
	return was_gathered ? step(round, time(NULL)) : 0;
}

int health_round_step(struct health_round *round)
{
	int r;

	if (round->ended)
		return 0;
	r = take_step(round);
	if (r < 0)
		return r;
	if (!r)
		health_round_go_on(round);
	stage(round);
	end_if_all_is_known(round);
	return 0;
}

int health_round_new(const struct checks *checks, const struct service_filter *filter,
		     const struct health_asker *asker, int64_t timeout_s,
		     const struct health_round_calls *calls, void *user_data,
		     struct health_round **ret)
{
	struct health_round *round = calloc(1, sizeof(*round));
	int r = 0;

	if (!round)
		return -ENOMEM;
	round->checks = checks;
	round->calls = calls;
	round->user_data = user_data;
	round->began_us = clock_us(CLOCK_MONOTONIC);
	round->timeout_s = timeout_s;
	round->stored = true;
	round->pid = asker->pid;
	round->uid = asker->uid;
	snprintf(round->comm, sizeof(round->comm), "%s", asker->comm);
	round->filter = *filter;
	round->pattern = filter->pattern ? strdup(filter->pattern) : NULL;
	round->filter.pattern = round->pattern;
	round->paths = asker->paths ? strdup(asker->paths) : NULL;
	if ((filter->pattern && !round->pattern) || (asker->paths && !round->paths))
		r = -ENOMEM;
	r = r ?: gather(round);
	if (r)
		health_round_free(round);
	else
		*ret = round;
	return r;
}
