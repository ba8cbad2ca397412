/* SPDX-License-Identifier: MIT */
#include "api/health_round.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "api/health_item.h"
#include "api/state.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "http/answer.h"
#include "http/commit.h"
#include "http/lines.h"
#include "http/request.h"
#include "registry/health.h"
#include "registry/service_list.h"
#include "tracker/activity.h"

/* Services in one step of a round, some 3 ms; the loop turns in between. */
#define STEP_SERVICES 128
/* Claims copied in one step, before the first is looked at: the total is told first. */
#define STEP_CLAIMS 500

struct health_round {
	struct api *api;
	struct lines *lines; /* NULL once the client has left */
	uint64_t began_us;
	int64_t timeout_s;
	struct service_filter filter;
	char *pattern;		      /* of the filter; NULL = none */
	struct service_list services; /* all of them, once `gathered` */
	bool gathered;
	size_t n_seen;		    /* of which so many have been looked at */
	struct health_item **items; /* those that are connected to */
	size_t n_items, n_waiting;
	int64_t counts[WELLNESS_UNKNOWN + 1], n_not_tried;
	unsigned commits; /* that will call back */
	bool stored, ended;
	/* who asked: an entry of the audit trail names them */
	pid_t pid;
	uid_t uid;
	char comm[4 * PROCESS_COMM_SIZE];
};

/* --- lines --- */

static void send_line(struct health_round *round, struct json_object *line)
{
	if (round->lines)
		lines_put(round->lines, line);
}

static void send_hello(struct health_round *round)
{
	_cleanup_json_ struct json_object *line = answer_ok_new();

	json_add_text(line, "stream", "health");
	json_add_int(line, "total", (int64_t)round->services.n);
	send_line(round, line);
}

static void send_item(struct health_round *round, const struct health_item *item)
{
	_cleanup_json_ struct json_object *line = json_object_new_object();

	json_add(line, "service", health_item_view(item));
	send_line(round, line);
}

static size_t n_unknown(const struct health_round *round)
{
	return round->services.n - round->n_seen + round->n_waiting;
}

static void schedule_step(struct health_round *round)
{
	if (round->lines && (!round->gathered || round->n_seen < round->services.n))
		lines_continue(round->lines);
}

static void on_tick(void *user_data)
{
	struct health_round *round = user_data;
	_cleanup_json_ struct json_object *line = NULL;

	if (round->ended)
		return;
	line = json_object_new_object();
	json_add_int(line, "waiting", (int64_t)n_unknown(round));
	json_add_int(line, "total", (int64_t)round->services.n);
	send_line(round, line);
	schedule_step(round); /* where it waits for checks of others to end */
}

static void send_summary(struct health_round *round)
{
	_cleanup_json_ struct json_object *line = answer_ok_new();

	json_add_int(line, "healthy", round->counts[WELLNESS_WELL]);
	json_add_int(line, "unhealthy", round->counts[WELLNESS_ILL]);
	json_add_int(line, "unchecked", round->counts[WELLNESS_UNKNOWN]);
	json_add_int(line, "notTried", round->n_not_tried); /* they are among the unchecked */
	json_add_bool(line, "stored", round->stored);
	json_add_int(line, "elapsedMs",
		     (int64_t)((clock_us(CLOCK_MONOTONIC) - round->began_us) / 1000));
	send_line(round, line);
}

/* --- the end --- */

static void item_free(struct health_item *item)
{
	if (!item)
		return;
	health_item_deinit(item);
	free(item);
}

static void round_free(struct health_round *round)
{
	for (size_t i = 0; i < round->n_items; i++)
		item_free(round->items[i]);
	service_list_free(&round->services);
	free(round->items);
	free(round->pattern);
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

	return activity_write(tracker_activity(round->api->config.tracker),
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
	int r = registry_store_health(round->api->config.registry, &record);

	if (r == OUTCOME_NO) /* released while it was checked */
		return 0;
	return !r && is_news(item) ? log_change(round, item) : r;
}

static void on_committed(int error, void *user_data);

/* What was stored so far of it goes into the commit of this turn, which on_committed() learns of.
 */
static void stage(struct health_round *round)
{
	int r = registry_begin(round->api->config.registry);

	if (r)
		log_error("results of health checks were not stored: %s",
			  registry_strerror(round->api->config.registry, r));
	round->stored = round->stored && !r;
	round->commits++;
	if (commit_stage_call(server_commits(round->api->server), on_committed, round))
		on_committed(-ENOMEM, round);
}

static void store(struct health_round *round, const struct health_item *item)
{
	int r = registry_begin(round->api->config.registry);

	if (!r)
		r = store_item(round, item);
	if (!r)
		return;
	log_error("the result of a health check was not stored: %s",
		  registry_strerror(round->api->config.registry, r));
	round->stored = false;
}

static void on_committed(int error, void *user_data)
{
	struct health_round *round = user_data;

	round->stored = round->stored && !error;
	if (--round->commits || !round->ended)
		return;
	if (round->lines) {
		send_summary(round);
		lines_finish(round->lines);
	}
	round_free(round);
}

/* From here on the round is the commit queue's. */
static void end(struct health_round *round)
{
	for (size_t i = 0; i < round->n_items; i++)
		if (round->items[i]->known && !round->items[i]->not_tried)
			store(round, round->items[i]);
	round->ended = true;
	stage(round);
}

static void on_left(void *user_data)
{
	struct health_round *round = user_data;

	round->lines = NULL;
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
	send_item(round, item);
	round->n_waiting--;
	schedule_step(round);
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
	r = health_check_start(round->api->health, &item->target, round->uid,
			       clock_us(CLOCK_MONOTONIC), (unsigned)round->timeout_s * 1000,
			       on_checked, item, &item->check);
	if (r)
		return r;
	round->items[round->n_items++] = item;
	round->n_waiting++;
	return 0;
}

/* Looks at one service.  0; an enum quota_outcome when no check can be started now; -errno. */
static int look(struct health_round *round, const struct service *service, int64_t now)
{
	struct health_item *item = calloc(1, sizeof(*item));
	int r;

	if (!item)
		return -ENOMEM;
	r = health_item_init(round->api, service, now, item);
	item->round = round;
	if (!r && item->connects)
		r = start_check(round, item);
	if (!r && item->connects)
		return 0; /* the round's until its end */
	if (!r) {
		round->counts[item->wellness]++;
		send_item(round, item);
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
	r = registry_for_each_service(round->api->config.registry, &filter, gather_one, &g);
	round->gathered = list->n < g.until;
	return !r && list->no_memory ? -ENOMEM : r;
}

/* 0; an enum quota_outcome when it has to wait for other checks to end; negative errno. */
static int take_step(struct health_round *round)
{
	int r;

	if (round->gathered)
		return step(round, time(NULL));
	r = gather(round);
	if (!r && round->gathered)
		send_hello(round);
	return r;
}

static void on_step(void *user_data)
{
	struct health_round *round = user_data;
	int r;

	if (round->ended)
		return;
	r = take_step(round);
	if (r < 0) {
		log_error("a health check was given up: %s", strerror(-r));
		lines_drop(round->lines);
		return;
	}
	if (!r)
		schedule_step(round);
	stage(round);
	end_if_all_is_known(round);
}

static const struct lines_calls lines_calls = {
	.ended = on_left,
	.step = on_step,
	.tick = on_tick,
};

/* The round, with the first of its claims. */
static int round_new(struct request *r, const struct match *match, int64_t timeout_s,
		     struct health_round **ret)
{
	struct health_round *round = calloc(1, sizeof(*round));
	struct process peer;
	int fault = 0;

	if (!round)
		return -ENOMEM;
	round->api = r->api;
	round->began_us = clock_us(CLOCK_MONOTONIC);
	round->timeout_s = timeout_s;
	round->stored = true;
	round->pid = r->pid;
	round->uid = r->uid;
	request_caller(r, &peer);
	text_to_utf8(peer.comm, round->comm, sizeof(round->comm));
	round->filter = match->filter;
	round->pattern = match->filter.pattern ? strdup(match->filter.pattern) : NULL;
	round->filter.pattern = round->pattern;
	if (match->filter.pattern && !round->pattern)
		fault = -ENOMEM;
	if (!fault)
		fault = gather(round);
	if (fault)
		round_free(round);
	else
		*ret = round;
	return fault;
}

int health_round_start(struct request *r, const struct match *match, int64_t timeout_s)
{
	struct health_round *round;
	int fault = round_new(r, match, timeout_s, &round);

	if (fault)
		return fault;
	if (round->services.n || !match->text)
		fault = lines_begin(r, &lines_calls, round, &round->lines);
	else
		fault = OUTCOME_NO;
	if (fault) {
		round_free(round);
		return fault;
	}
	if (round->gathered)
		send_hello(round);
	on_step(round);
	return 0;
}
