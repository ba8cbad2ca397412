/* SPDX-License-Identifier: MIT */
#include "view/status.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/build.h"
#include "base/sandbox_report.h"
#include "base/text.h"
#include "base/user.h"
#include "coordination/locks.h"
#include "http/json.h"
#include "http/metrics.h"
#include "inventory/inventory.h"
#include "registry/registry.h"
#include "registry/sessions.h"
#include "runs/protection.h"
#include "sentinel/sentinel.h"
#include "tracker/judge.h"
#include "view/counters.h"

#define ACTIVITY_RECENT_S  300
#define LOCK_NAMES_MAX	   8 /* a line of a terminal; pd locks has them all */
#define SESSION_NAMES_MAX  8
#define SESSION_NAME_BYTES 40 /* of each: a purpose may be a sentence */

/* "missing": a clause for each part of it that is not in force. */
static void add_sandbox(const struct sandbox_report *report, struct json_object *daemon)
{
	const char *const reasons[] = { report->without_system_calls, report->without_landlock };
	struct json_object *o = json_add_object(daemon, "sandbox");
	struct json_object *missing = json_add_array(o, "missing");

	json_add_bool(o, "systemCalls", report->system_calls);
	json_add_int(o, "landlock", report->landlock);
	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
		if (reasons[i])
			json_append(missing, json_text(reasons[i]));
}

static int add_daemon(const struct status_of *of, struct json_object *o)
{
	json_add_int(o, "pid", getpid());
	json_add_int(o, "uptime", of->now > of->started_at ? of->now - of->started_at : 0);
	json_add_int(o, "startedAt", of->started_at);
	json_add_int(o, "bootedAt", of->booted_at);
	json_add_text(o, "version", build_own.version);
	json_add_text(o, "commit", build_own.commit);
	json_add_int(o, "committedAt", build_own.committed_at);
	json_add_text(o, "user", user_name(geteuid()));
	json_add_int(o, "uid", geteuid());
	json_add_text(o, "socket", of->socket_path);
	add_sandbox(of->sandbox, o);
	return 0;
}

static int add_kernel(const struct status_of *of, struct json_object *o)
{
	const struct sentinel_report *report = sentinel_report(of->sentinel);
	struct sentinel_counters counters = sentinel_counters(of->sentinel);

	json_add_int(o, "working", view_probes(report, o));
	json_add_int(o, "total", report->n_probes);
	json_add_bool(o, "orders", report->orders);
	json_add_bool(o, "behind", inventory_is_behind(of->inventory));
	counters_add(o, kernel_counters, &counters);
	json_add_text(o, "whyNot", report->why_not_bpf);
	json_add_text(o, "whyNotFexit", report->why_not_fexit);
	json_add_bool(o, "wantsRoot", report->obstacle == SENTINEL_OBSTACLE_USER);
	return 0;
}

static int add_services(const struct status_of *of, struct json_object *o)
{
	int64_t counts[_SERVICE_STATUS_MAX] = { 0 }, orphans = 0;
	size_t n_protected = 0, n_lost = 0;
	int fault = registry_count_services(of->registry, counts);

	if (!fault)
		fault = judge_count_orphans(of->inventory, of->registry, &orphans);
	if (!fault)
		fault = protection_count(of->protection, &n_protected, &n_lost);
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
static int add_locks(const struct status_of *of, struct json_object *o)
{
	_cleanup_free_ struct lock *locks = NULL;
	struct json_object *names;
	size_t n = 0;
	int fault = locks_look_all(of->locks, true, &locks, &n);

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
static int add_sessions(const struct status_of *of, struct json_object *o)
{
	static const struct session_filter open = { .uid = PROCESS_UID_UNKNOWN, .open = true };
	int64_t counts[_SESSION_STATUS_MAX] = { 0 };
	int fault = registry_count_sessions(of->registry, counts);

	if (fault)
		return fault;
	json_add_int(o, "active", counts[SESSION_ACTIVE]);
	json_add_int(o, "stalled", counts[SESSION_STALLED]);
	return registry_for_each_session(of->registry, &open, add_name, json_add_array(o, "names"));
}

static int add_activity(const struct status_of *of, struct json_object *o)
{
	int64_t recent;
	int fault = registry_count_activity_since(of->registry, of->now - ACTIVITY_RECENT_S,
						  &recent);

	if (!fault)
		json_add_int(o, "recent", recent);
	return fault;
}

static int add_api(const struct status_of *of, struct json_object *o)
{
	counters_add(o, metrics_counters, of->metrics);
	json_add_int(o, "averageUs", metrics_average_us(of->metrics));
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
static void add_database(const struct status_of *of, int fault, struct json_object *o)
{
	const char *detail;
	const char *state = registry_condition(of->registry, fault, of->now, &detail);

	json_add_text(o, "path", of->database_path);
	add_sizes(of->database_path, o);
	json_add_bool(o, "healthy", !strcmp(state, "healthy"));
	json_add_text(o, "state", state);
	json_add_text(o, "detail", detail);
}

static const struct {
	const char *name;
	int (*add)(const struct status_of *of, struct json_object *o);
} parts[] = {
	{ "daemon", add_daemon }, { "kernel", add_kernel },	{ "services", add_services },
	{ "locks", add_locks },	  { "sessions", add_sessions }, { "activity", add_activity },
	{ "api", add_api },
};

void status_add(const struct status_of *of, struct json_object *answer)
{
	int of_database = 0;

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		struct json_object *o = json_add_object(answer, parts[i].name);
		int fault = parts[i].add(of, o);

		if (fault < 0)
			json_add_text(o, "fault", registry_strerror(of->registry, fault));
		if (fault < 0 && registry_failed_with(of->registry, fault))
			of_database = fault;
	}
	add_database(of, of_database, json_add_object(answer, "database"));
}
