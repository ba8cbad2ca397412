/* SPDX-License-Identifier: MIT */
/* GET /v1/status: pd status. */
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "api/routes.h"
#include "api/state.h"
#include "base/build.h"
#include "base/text.h"
#include "coordination/locks.h"
#include "http/commit.h"
#include "http/metrics.h"
#include "http/request.h"
#include "registry/sessions.h"
#include "runs/protection.h"
#include "tracker/judge.h"
#include "view/counters.h"

ROUTE(status_get, GET, "/v1/status", struct route_no_params);

#define ACTIVITY_RECENT_S  300
#define LOCK_NAMES_MAX	   8 /* a line of a terminal; pd locks has them all */
#define SESSION_NAMES_MAX  8
#define SESSION_NAME_BYTES 40 /* of each: a purpose may be a sentence */
static int add_daemon(struct request *r, struct json_object *o)
{
	const struct api_config *config = &r->api->config;

	json_add_int(o, "pid", getpid());
	json_add_int(o, "uptime", r->now > config->started_at ? r->now - config->started_at : 0);
	json_add_int(o, "startedAt", config->started_at);
	json_add_int(o, "bootedAt", config->booted_at);
	json_add_text(o, "version", build_own.version);
	json_add_text(o, "commit", build_own.commit);
	json_add_int(o, "committedAt", build_own.committed_at);
	json_add_text(o, "user", user_name(geteuid()));
	json_add_int(o, "uid", geteuid());
	json_add_text(o, "socket", server_socket_path(r->api->server));
	return 0;
}

static int add_kernel(struct request *r, struct json_object *o)
{
	const struct sentinel *sentinel = r->api->config.sentinel;
	const struct sentinel_report *report = sentinel_report(sentinel);
	struct sentinel_counters counters = sentinel_counters(sentinel);

	json_add_int(o, "working", view_probes(report, o));
	json_add_int(o, "total", report->n_probes);
	json_add_bool(o, "behind", inventory_is_behind(r->api->config.inventory));
	counters_add(o, kernel_counters, &counters);
	json_add_text(o, "whyNot", report->why_not_bpf);
	json_add_bool(o, "wantsRoot", report->obstacle == SENTINEL_OBSTACLE_USER);
	return 0;
}

static int add_services(struct request *r, struct json_object *o)
{
	int64_t counts[_SERVICE_STATUS_MAX] = { 0 }, orphans = 0;
	size_t n_protected = 0, n_lost = 0;
	int fault = registry_count_services(r->api->config.registry, counts);

	if (!fault)
		fault = judge_count_orphans(r->api->config.inventory, r->api->config.registry,
					    &orphans);
	if (!fault)
		fault = protection_count(r->api->protection, &n_protected, &n_lost);
	if (fault)
		return fault;
	for (int s = 0; s < _SERVICE_STATUS_MAX; s++)
		json_add_int(o, service_status_name((enum service_status)s), counts[s]);
	json_add_int(o, "orphans", orphans);
	json_add_int(o, "protected", (int64_t)n_protected);
	json_add_int(o, "protectionLost", (int64_t)n_lost);
	return 0;
}

/* How many are held, and the names of the first. */
static int add_locks(struct request *r, struct json_object *o)
{
	_cleanup_free_ struct lock *locks = NULL;
	struct json_object *names;
	size_t n = 0;
	int fault = locks_look_all(r->api->locks, true, &locks, &n);

	if (fault)
		return fault;
	json_add_int(o, "held", (int64_t)n);
	names = json_add_array(o, "names");
	for (size_t i = 0; i < n && i < LOCK_NAMES_MAX; i++)
		json_append(names, json_text(locks[i].name));
	return 0;
}

static bool add_name(const struct session *s, void *user_data)
{
	const char *name = *s->agent ? s->agent : *s->purpose ? s->purpose : s->id;
	struct json_object *names = user_data;
	char text[SESSION_NAME_BYTES + 1];

	if (s->status == SESSION_ACTIVE)
		json_append(names, json_text(text_to_utf8(name, text, sizeof(text))));
	return json_object_array_length(names) < SESSION_NAMES_MAX;
}

/* Of those that are active: agents, else purposes. */
static int add_sessions(struct request *r, struct json_object *o)
{
	static const struct session_filter open = { .uid = PROCESS_UID_UNKNOWN, .open = true };
	struct registry *registry = r->api->config.registry;
	int64_t counts[_SESSION_STATUS_MAX] = { 0 };
	int fault = registry_count_sessions(registry, counts);

	if (fault)
		return fault;
	json_add_int(o, "active", counts[SESSION_ACTIVE]);
	json_add_int(o, "stalled", counts[SESSION_STALLED]);
	return registry_for_each_session(registry, &open, add_name, json_add_array(o, "names"));
}

static int add_activity(struct request *r, struct json_object *o)
{
	int64_t recent;
	int fault = registry_count_activity_since(r->api->config.registry,
						  r->now - ACTIVITY_RECENT_S, &recent);

	if (!fault)
		json_add_int(o, "recent", recent);
	return fault;
}

static int add_api(struct request *r, struct json_object *o)
{
	const struct metrics *m = server_metrics(r->api->server);

	counters_add(o, metrics_counters, m);
	json_add_int(o, "averageUs", metrics_average_us(m));
	return 0;
}

/* Of the file, and of what is free where it lies; nothing where it cannot be told. */
static void add_sizes(const char *path, struct json_object *o)
{
	struct statvfs disk;
	struct stat file;

	if (stat(path, &file) == 0)
		json_add_int(o, "bytes", file.st_size);
	if (statvfs(path, &disk) == 0)
		json_add_int(o, "freeBytes", (int64_t)(disk.f_bavail * disk.f_frsize));
}

/*
 * `fault` is that of the parts above (0, or the last one's errno): what a look at the whole file
 * found seconds ago is not newer than what they met.
 */
static void add_database(struct request *r, int fault)
{
	struct json_object *o = json_add_object(r->answer, "database");
	const char *detail,
		*state = registry_condition(r->api->config.registry, fault, r->now, &detail);

	/* what takes longer is looked at behind this answer */
	if (!registry_is_synced(r->api->config.registry))
		commit_schedule_soon(server_commits(r->server));
	json_add_text(o, "path", r->api->config.database_path);
	add_sizes(r->api->config.database_path, o);
	json_add_bool(o, "healthy", !strcmp(state, "healthy"));
	json_add_text(o, "state", state);
	json_add_text(o, "detail", detail);
}

static const struct {
	const char *name;
	int (*add)(struct request *r, struct json_object *o);
} parts[] = {
	{ "daemon", add_daemon }, { "kernel", add_kernel },	{ "services", add_services },
	{ "locks", add_locks },	  { "sessions", add_sessions }, { "activity", add_activity },
	{ "api", add_api },
};

/* A part that cannot be told says so; it hides none of the others. */
static int handle(struct request *r)
{
	struct registry *registry = r->api->config.registry;
	int of_database = 0;

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		struct json_object *o = json_add_object(r->answer, parts[i].name);
		int fault = parts[i].add(r, o);

		if (fault < 0)
			json_add_text(o, "fault", registry_strerror(registry, fault));
		if (fault < 0 && registry_failed_with(registry, fault))
			of_database = fault;
	}
	add_database(r, of_database);
	return 0;
}
