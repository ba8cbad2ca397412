/* SPDX-License-Identifier: MIT */
#include "api/api.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/routes.h"
#include "api/state.h"
#include "api/streams.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/quota.h"
#include "coordination/locks.h"
#include "coordination/process_watch.h"
#include "coordination/sessions.h"
#include "health/health.h"
#include "http/commit.h"
#include "http/request.h"
#include "http/watchers.h"
#include "provenance/lineage.h"
#include "registry/runs.h"
#include "runs/protection.h"
#include "runs/runs.h"
#include "view/why.h"

/* --- what the server asks --- */

/* What a registry that refuses takes nothing away from. */
static bool needs_no_claims(const struct route *route)
{
	static const struct route *const routes[] = { &index_get,   &why_get,	      &sockets_get,
						      &status_get,  &events_get,      &activity_get,
						      &metrics_get, &metrics_text_get };

	for (size_t i = 0; i < ARRAY_SIZE(routes); i++)
		if (routes[i] == route)
			return true;
	return false;
}

static void tell_news(struct api *api)
{
	const char *news = registry_news(api->config.registry);

	if (news)
		tracker_tell(api->config.tracker, news);
}

/* A question mostly asks the registry again and again: for each service, for each socket. */
static int handle(struct request *r)
{
	const struct api_config *config = &r->api->config;
	int result;

	tracker_catch_up(config->tracker);
	if (r->route->method == ROUTE_GET)
		registry_read_begin(config->registry);
	if (registry_refuses(config->registry) && !needs_no_claims(r->route))
		result = -EUCLEAN;
	else
		result = r->route->handle(r);
	registry_read_end(config->registry);
	tell_news(r->api);
	return result;
}

static int begin(struct api *api)
{
	int r = registry_begin(api->config.registry);

	/* it may have found out just now */
	return !r && registry_refuses(api->config.registry) ? -EUCLEAN : r;
}

static bool is_open(struct api *api)
{
	return registry_in_batch(api->config.registry);
}

static int commit(struct api *api)
{
	int r = is_open(api) ? registry_commit_unsynced(api->config.registry) : 0;

	if (r && api->locks)
		locks_undone(api->locks);
	/* a session that began or ended in what was undone did not */
	if (r && api->sessions)
		sessions_undone(api->sessions);
	tracker_batch_ended(api->config.tracker, r != 0);
	if (api->protection)
		protection_follow(api->protection);
	return r;
}

static bool needs_sync(struct api *api)
{
	return !registry_is_synced(api->config.registry);
}

static int sync_committed(struct api *api)
{
	return registry_sync(api->config.registry);
}

static void give_back(struct api *api)
{
	registry_give_back(api->config.registry);
	if (api->checks.health)
		health_give_back(api->checks.health);
}

static const char *words(struct api *api, int error)
{
	return registry_strerror(api->config.registry, error);
}

static bool words_are_whole(struct api *api, int error)
{
	return registry_failed_with(api->config.registry, error);
}

static uint64_t database_us(struct api *api)
{
	return registry_counters(api->config.registry).busy_ns / 1000;
}

static const struct server_calls server_calls = {
	.handle = handle,
	.begin = begin,
	.is_open = is_open,
	.commit = commit,
	.needs_sync = needs_sync,
	.sync = sync_committed,
	.give_back = give_back,
	.words = words,
	.words_are_whole = words_are_whole,
	.database_us = database_us,
};

/* --- what the tracker tells --- */

/* What its program has asked for: a refusal says so itself, of a socket its run knows. */
static uint16_t asked_port(const struct api *api, const struct event *event)
{
	if (event->kind == EVENT_FAIL || event->netns != inventory_own_netns(api->config.inventory))
		return event->asked_port;
	return registry_asked_port(api->config.registry, event->named_run, event->protocol,
				   event->port);
}

static void show_event(struct api *api, const struct event *event, const char *service,
		       const struct why_obstacle *obstacle, int64_t at_unix)
{
	streams_show_event(&(struct shown_event){ api,
						  { .event = event,
						    .service = service,
						    .obstacle = obstacle,
						    .asked_port = asked_port(api, event),
						    .at_unix = at_unix } });
}

static void on_event(const struct event *event, const char *service, int64_t at_unix,
		     void *user_data)
{
	struct api *api = user_data;

	api->events[event->kind]++;
	server_trim_later(api->server);
	if (event->kind == EVENT_RUN_END && api->locks)
		locks_run_ended(api->locks, event->run);
	if (api->runs)
		runs_note_event(api->runs, event);
	lineage_note(api->lineage, api->config.inventory, event, clock_ms(CLOCK_MONOTONIC));
	if (event->kind != EVENT_FAIL)
		show_event(api, event, service, NULL, at_unix);
}

static void on_refused(const struct event *event, const char *service,
		       const struct why_obstacle *obstacle, int64_t at_unix, void *user_data)
{
	show_event(user_data, event, service, obstacle, at_unix);
}

static void on_entry_written(const struct activity *entry, void *user_data)
{
	int r = streams_show_entry(user_data, entry);

	if (r)
		log_error("a log entry was not streamed: %s", strerror(-r));
}

static void on_commit_due(bool somebody_waits, void *user_data)
{
	struct api *api = user_data;

	if (somebody_waits)
		commit_schedule(server_commits(api->server));
	else
		commit_schedule_soon(server_commits(api->server));
}

/* Said once for each row of them. */
static void log_searches(const struct why_facts *f)
{
	if (f->left_out && f->left_out_in_row == 1)
		log_warning("refused binds of uid %u come too fast: some are explained without a "
			    "search for who holds the port",
			    f->viewer);
	else if (!f->left_out && f->left_out_in_row)
		log_info("%u refused binds were explained without a search", f->left_out_in_row);
}

int api_explain_refusal(struct api *api, const struct refusal *refusal, char **ret,
			struct why_obstacle *ret_obstacle, bool *ret_found)
{
	_cleanup_(why_facts_deinit) struct why_facts f = { 0 };
	int r = explain_refusal(&api->explainer, refusal, &f);

	if (r)
		return r;
	log_searches(&f);
	*ret_found = why_facts_obstacle(&f, ret_obstacle);
	return why_view_text(&f, ret);
}

static int explain(const struct refusal *evidence, char **ret, struct why_obstacle *ret_obstacle,
		   bool *ret_found, void *user_data)
{
	return api_explain_refusal(user_data, evidence, ret, ret_obstacle, ret_found);
}

static void listen_to_tracker(struct api *api)
{
	api->listener = (struct tracker_listener){
		.event = on_event,
		.refused = on_refused,
		.entry_written = on_entry_written,
		.commit_due = on_commit_due,
		.explain = explain,
		.user_data = api,
	};
	tracker_set_listener(api->config.tracker, &api->listener);
}

void api_clock_changed(struct api *api)
{
	locks_clock_changed(api->locks);
}

/* --- lifecycle --- */

#define REFER_TO_ROUTE(name) &name,
static const struct route *const routes[] = { ROUTES(REFER_TO_ROUTE) NULL };

void api_describe_routes(struct json_object *ret_list)
{
	for (const struct route *const *at = routes; *at; at++)
		route_describe(*at, json_append_object(ret_list));
}

static int build_server(struct api *api)
{
	const struct server_config config = {
		.loop = api->config.loop,
		.quota = api->quota,
		.routes = routes,
		.calls = &server_calls,
		.api = api,
		.request_timeout_ms = api->config.request_timeout_ms,
	};

	return server_new(&config, &api->server);
}

static void on_claim_changed(uint16_t port, void *user_data)
{
	struct api *api = user_data;

	tracker_claim_changed(api->config.tracker, port);
}

static void on_catch_up(void *user_data)
{
	struct api *api = user_data;

	tracker_catch_up(api->config.tracker);
}

/* What is written is committed by the queue and told to watchers: both are there already. */
static int build_coordination(struct api *api)
{
	struct coordination c = {
		.loop = api->config.loop,
		.registry = api->config.registry,
		.activity = tracker_activity(api->config.tracker),
		.quota = api->quota,
		.kernel = sentinel_kernel_source(api->config.sentinel),
	};
	const struct runs_tracker tracker = { on_claim_changed, on_catch_up, api };
	int r = process_watcher_new(c.loop, c.quota, &api->processes);

	c.processes = api->processes;
	r = r ?: sessions_new(&c, &api->sessions);
	r = r ?: locks_new(&c, &api->locks);
	r = r ?: locks_start(api->locks);
	r = r ?: runs_new(&c, &tracker, &api->runs);
	r = r ?: protection_new(&c, &api->protection);
	return r;
}

static int build(struct api *api)
{
	int r = quota_new(geteuid(), &api->quota);

	if (!r && api->config.descriptors)
		quota_divide_descriptors(api->quota, api->config.descriptors);
	r = r ?: build_server(api);
	r = r ?: watchers_new("events", &api->events_watchers);
	r = r ?: watchers_new("activity", &api->activity_watchers);
	if (!r)
		listen_to_tracker(api); /* what follows may write already */
	r = r ?: build_coordination(api);
	r = r ?: health_new(api->config.loop, api->quota, &api->checks.health);
	return r;
}

int api_new(const struct api_config *config, int listen_fd, struct api **ret)
{
	_cleanup_close_ int fd = listen_fd;
	struct api *api = calloc(1, sizeof(*api));
	int r;

	if (!api)
		return -ENOMEM;
	api->config = *config;
	api->checks = (struct checks){ config->inventory, config->registry, config->tracker, NULL };
	api->lineage = lineage_new();
	if (!api->lineage) {
		free(api);
		return -ENOMEM;
	}
	api->explainer = (struct explainer){
		.inventory = config->inventory,
		.registry = config->registry,
		.report = sentinel_report(config->sentinel),
		.kernel = sentinel_kernel_source(config->sentinel),
		.lineage = api->lineage,
		.read_past = why_read_past,
	};
	r = build(api);
	r = r ?: server_listen(api->server, TAKE_FD(fd));
	if (r) {
		api_free(api);
		return r;
	}
	*ret = api;
	return 0;
}

void api_free(struct api *api)
{
	if (!api)
		return;
	server_stop(api->server); /* which ends watchers, waiters and health checks */
	tracker_set_listener(api->config.tracker, NULL);
	sessions_free(api->sessions);
	locks_free(api->locks);
	protection_free(api->protection);
	runs_free(api->runs);
	process_watcher_free(api->processes);
	health_free(api->checks.health);
	watchers_free(api->events_watchers);
	watchers_free(api->activity_watchers);
	server_free(api->server);
	lineage_free(api->lineage);
	quota_free(api->quota);
	free(api);
}

void api_watch_processes(struct api *api)
{
	int r = runs_start(api->runs);

	protection_start(api->protection);

	sessions_watch_all(api->sessions);
	if (r)
		log_warning("who belongs to the runs is not known: %s", strerror(-r));
}
