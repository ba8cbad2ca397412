/* SPDX-License-Identifier: MIT */
#include <time.h>
#include <unistd.h>

#include "api/lock_keeper.h"
#include "api/routes.h"
#include "api/server.h"
#include "api/services.h"
#include "api/sessions.h"
#include "api/view.h"

#define ACTIVITY_RECENT_S 300
#define LOCK_NAMES_MAX	  8 /* a line of a terminal; pd locks has them all */
/*
 * A quick_check reads the whole file, 5 ms for each MB of it, and everybody else waits meanwhile:
 * asked again after this, however often the status is, and after a thousand times as long as the
 * last one took, so that it holds the loop for a thousandth of the time at most.
 */
#define CHECK_EVERY_S 5
#define CHECK_SHARE   1000

static int add_daemon(struct request *r)
{
	const struct api_config *config = &r->api->config;
	struct json_object *o = json_add_object(r->answer, "daemon");

	json_add_int(o, "pid", getpid());
	json_add_int(o, "uptime", r->now > config->started_at ? r->now - config->started_at : 0);
	json_add_int(o, "startedAt", config->started_at);
	json_add_text(o, "version", config->version);
	json_add_text(o, "user", view_user_name(geteuid()));
	json_add_int(o, "uid", geteuid());
	json_add_text(o, "socket", r->api->socket_path);
	return 0;
}

static int add_kernel(struct request *r)
{
	const struct sentinel *sentinel = r->api->config.sentinel;
	const struct sentinel_report *report = sentinel_report(sentinel);
	struct sentinel_counters counters = sentinel_counters(sentinel);
	struct json_object *o = json_add_object(r->answer, "kernel");
	struct json_object *probes;
	int working = 0;

	json_add_text(o, "mode", report->mode == SENTINEL_MODE_BPF ? "bpf" : "poll");
	probes = json_add_array(o, "probes");
	for (int i = 0; i < report->n_probes; i++) {
		json_append(probes, view_probe(&report->probes[i]));
		working += report->probes[i].state == SENTINEL_PROBE_WORKS;
	}
	json_add_int(o, "working", working);
	json_add_int(o, "total", report->n_probes);
	json_add_int(o, "lost", (int64_t)counters.lost);
	json_add_int(o, "events", (int64_t)counters.events);
	json_add_int(o, "failedReads", (int64_t)counters.failed_reads);
	json_add_int(o, "malformed", (int64_t)counters.malformed);
	json_add_text(o, "whyNot", report->why_not_bpf);
	return 0;
}

static void check_database(struct api *api, int64_t now)
{
	uint64_t began_us = server_now_us(), took_us;

	if (api->checked_at && now >= api->checked_at && now < api->check_again_at)
		return;
	api->database_detail[0] = 0;
	api->database_fault = registry_check(api->config.registry, api->database_detail,
					     sizeof(api->database_detail));
	took_us = server_now_us() - began_us;
	api->checked_at = now;
	api->check_again_at = now + CHECK_EVERY_S + (int64_t)(took_us * CHECK_SHARE / 1000000);
}

static int add_database(struct request *r)
{
	struct api *api = r->api;
	struct json_object *o = json_add_object(r->answer, "database");

	check_database(api, r->now);
	json_add_text(o, "path", api->config.database_path);
	json_add_bool(o, "healthy", !api->database_fault);
	json_add_text(o, "detail", api->database_detail);
	return 0;
}

static int add_services(struct request *r)
{
	int64_t counts[_SERVICE_STATUS_MAX] = { 0 }, orphans = 0;
	struct json_object *o = json_add_object(r->answer, "services");
	int fault = registry_count_services(r->api->config.registry, counts);

	if (!fault)
		fault = services_count_orphans(r->api, &orphans);
	for (int s = 0; s < _SERVICE_STATUS_MAX; s++)
		json_add_int(o, service_status_name((enum service_status)s), counts[s]);
	json_add_int(o, "orphans", orphans);
	return fault;
}

/* How many are held, and the names of the first. */
static int add_locks(struct request *r)
{
	struct json_object *o = json_add_object(r->answer, "locks");
	_cleanup_free_ struct lock *locks = NULL;
	struct json_object *names;
	size_t n = 0;
	int fault = lock_keeper_look_all(r->api->locks, true, &locks, &n);

	json_add_int(o, "held", (int64_t)n);
	names = json_add_array(o, "names");
	for (size_t i = 0; i < n && i < LOCK_NAMES_MAX; i++)
		json_append(names, json_text(locks[i].name));
	return fault;
}

static int add_sessions_and_activity(struct request *r)
{
	struct registry *registry = r->api->config.registry;
	int64_t recent = 0;
	int fault = sessions_add_status(r->api, json_add_object(r->answer, "sessions"));

	if (!fault)
		fault = registry_count_activity_since(registry, r->now - ACTIVITY_RECENT_S,
						      &recent);
	json_add_int(json_add_object(r->answer, "activity"), "recent", recent);
	return fault;
}

static int add_api(struct request *r)
{
	struct api_counters counters = r->api->counters;
	struct json_object *o = json_add_object(r->answer, "api");

	json_add_int(o, "requests", (int64_t)counters.requests);
	json_add_int(o, "errors", (int64_t)counters.errors);
	json_add_int(o, "refused", (int64_t)counters.refused);
	json_add_int(o, "connections", (int64_t)counters.connections);
	json_add_int(o, "droppedWatchers", (int64_t)counters.dropped_watchers);
	json_add_int(o, "averageUs",
		     counters.timed ? (int64_t)(counters.total_us / counters.timed) : 0);
	json_add_int(o, "maxUs", (int64_t)counters.max_us);
	return 0;
}

int status_get(struct request *r)
{
	static int (*const parts[])(struct request *) = { add_daemon,	add_kernel,
							  add_database, add_services,
							  add_locks,	add_sessions_and_activity,
							  add_api };
	int fault = 0;

	for (size_t i = 0; !fault && i < ARRAY_SIZE(parts); i++)
		fault = parts[i](r);
	return fault;
}
