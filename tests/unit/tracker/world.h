/* SPDX-License-Identifier: MIT */
/*
 * A tracker between a source of events that the test fills, a real registry, and a listener that
 * counts.  The inventory reads a network namespace in which there is nothing but what the test
 * opens; processes of events have pids that /proc never knows.
 */
#ifndef TESTS_TRACKER_WORLD_H
#define TESTS_TRACKER_WORLD_H

#include <event2/event.h>
#include <time.h>
#include <unistd.h>

#include "explain/brief.h"
#include "reconcile/status.h"
#include "testing.h"
#include "tracker/activity.h"
#include "tracker/listener.h"
#include "tracker/tracker.h"
#include "unit/home.h"
#include "unit/inventory/fake.h"
#include "unit/inventory/netns.h"

#define PORT	   3000
#define ID	   "shop:web"
#define CLAIM_UID  1000 /* that of fake events */
#define CLAIM_CWD  "/home/app"
#define COOKIE	   10
#define DEADLINE_S 20 /* generous: sanitizers, emulated machines */
#define EVENTS_MAX 8

struct world {
	char dir[DIRECTORY_SIZE], database[HOME_PATH_SIZE];
	struct event_base *loop;
	struct registry *registry;
	struct inventory *inventory;
	struct tracker *tracker;
	/* the source */
	struct event waiting[EVENTS_MAX];
	size_t n_waiting;
	struct sentinel_counters counters;
	bool lost;
	int error; /* what reading them comes to */
	struct sentinel_report report;
	struct kernel_source kernel; /* that the inventory asks; at first nothing but /proc */
	struct fake fake;	     /* behind fake_source() */
	/* what the listener heard */
	struct tracker_listener listener;
	unsigned events, owned_events, entries, commits, explained, refused;
	struct why_obstacle obstacle; /* of the last refusal that was told */
	char comm[32];		      /* of the last entry */
};

/* --- the source --- */

static inline int world_dispatch(void *user_data, const struct sentinel_slice *slice,
				 sentinel_handler handler, void *handler_data, bool *ret_resync)
{
	struct world *w = user_data;

	if (w->error)
		return w->error;
	for (size_t i = 0; i < w->n_waiting; i++)
		handler(&w->waiting[i], handler_data);
	w->n_waiting = 0;
	*ret_resync = w->lost;
	w->lost = false;
	return 0;
}

static inline struct sentinel_counters world_counters(void *user_data)
{
	return ((struct world *)user_data)->counters;
}

/* The kernel tells of this, and somebody asks. */
static inline void tell(struct world *w, struct event event)
{
	assert_true(w->n_waiting < EVENTS_MAX);
	if (event.port)
		event.netns = inventory_own_netns(w->inventory);
	w->waiting[w->n_waiting++] = event;
	tracker_catch_up(w->tracker);
}

static inline void lose_events(struct world *w, unsigned n)
{
	w->counters.lost += n;
	w->lost = true;
	tracker_catch_up(w->tracker);
}

/* --- the listener --- */

static inline void hear_event(const struct event *event, const char *service, int64_t at,
			      void *user_data)
{
	struct world *w = user_data;

	w->events++;
	if (service) {
		assert_string_equal(service, ID);
		w->owned_events++;
	}
}

static inline void hear_entry(const struct activity *entry, void *user_data)
{
	struct world *w = user_data;

	assert_true(registry_in_batch(w->registry));
	w->entries++;
	snprintf(w->comm, sizeof(w->comm), "%s", entry->comm);
}

static inline void hear_commit(bool somebody_waits, void *user_data)
{
	((struct world *)user_data)->commits++;
}

static inline void hear_refused(const struct event *event, const char *service,
				const struct why_obstacle *obstacle, int64_t at, void *user_data)
{
	struct world *w = user_data;

	w->refused++;
	w->obstacle = obstacle ? *obstacle : (struct why_obstacle){ 0 };
}

/* The search finds process 77. */
static inline int explain_refused(const struct refusal *evidence, char **ret,
				  struct why_obstacle *ret_obstacle, bool *ret_found,
				  void *user_data)
{
	((struct world *)user_data)->explained++;
	*ret_obstacle = (struct why_obstacle){ .holder.pid = 77 };
	*ret_found = true;
	*ret = strdup("{}");
	return *ret ? 0 : -ENOMEM;
}

/* --- the daemon's rooms --- */

static inline void world_open_tracker(struct world *w)
{
	struct tracker_config config = {
		.loop = w->loop,
		.source = { .fd = -1,
			    .dispatch = world_dispatch,
			    .counters = world_counters,
			    .report = &w->report,
			    .user_data = w },
		.registry = w->registry,
	};

	assert_int_equal(inventory_new(&w->kernel, &w->inventory), 0);
	config.inventory = w->inventory;
	assert_int_equal(tracker_new(&config, &w->tracker), 0);
	w->listener = (struct tracker_listener){
		.event = hear_event,
		.refused = hear_refused,
		.entry_written = hear_entry,
		.commit_due = hear_commit,
		.explain = explain_refused,
		.user_data = w,
	};
	tracker_set_listener(w->tracker, &w->listener);
}

static inline void world_close_tracker(struct world *w)
{
	tracker_free(w->tracker);
	inventory_free(w->inventory);
}

/* The next daemon; what the last one left in its batch is committed if it was stopped. */
static inline void world_restart_tracker(struct world *w)
{
	world_close_tracker(w);
	world_open_tracker(w);
	assert_int_equal(tracker_start(w->tracker), 0);
}

/* Without tracker_start(): a claim can be made first, as one daemon leaves it to the next. */
static inline int world_open(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->registry = home_open(w->dir, w->database);
	w->loop = event_base_new();
	assert_non_null(w->loop);
	assert_int_equal(event_base_priority_init(w->loop, 3), 0);
	w->report.mode = SENTINEL_MODE_BPF;
	world_open_tracker(w);
	*state = w;
	return 0;
}

static inline int world_close(void **state)
{
	struct world *w = *state;

	world_close_tracker(w);
	registry_close(w->registry);
	event_base_free(w->loop);
	directory_remove(w->dir);
	free(w);
	return 0;
}

/* --- the database --- */

/* What the room above does at the end of a turn. */
static inline int commit(struct world *w)
{
	return registry_in_batch(w->registry) ? registry_commit(w->registry) : 0;
}

/* As somebody with sqlite3 would, once everything is committed. */
static inline void shell(struct world *w, const char *sql)
{
	assert_int_equal(commit(w), 0);
	home_type_sql(w->database, sql);
}

/* --- claims --- */

static inline enum port_use any_port(uint16_t port, bool own, void *user_data)
{
	return PORT_FREE;
}

/* By the user of the fake events, made `age_s` ago. */
static inline void claim_port(struct world *w, const char *id, uint16_t port, int64_t age_s,
			      int64_t ttl_s)
{
	const struct claim_request request = { .id = id,
					       .port = port,
					       .ttl_s = ttl_s,
					       .uid = CLAIM_UID,
					       .cwd = CLAIM_CWD,
					       .now = time(NULL) - age_s };
	struct claim_result result;

	assert_int_equal(registry_begin(w->registry), 0);
	assert_int_equal(registry_claim(w->registry, &request, any_port, NULL, &result), 0);
	assert_int_equal(registry_commit(w->registry), 0);
}

static inline void claim(struct world *w, int64_t age_s, int64_t ttl_s)
{
	claim_port(w, ID, PORT, age_s, ttl_s);
}

static inline bool keep_service(const struct service *service, void *ret)
{
	*(struct service *)ret = *service; /* but for its strings */
	return false;
}

/* The row of the claim; its strings are gone.  False without one. */
static inline bool stored(struct world *w, struct service *ret)
{
	return registry_service_by_port(w->registry, PORT, keep_service, ret) == 0;
}

static inline void assert_status(struct world *w, enum service_status status)
{
	struct service service;

	assert_true(stored(w, &service));
	assert_string_equal(service_status_name(service.status), service_status_name(status));
}

/* --- its server --- */

/* Turns the loop for 10 ms. */
static inline void turn(struct world *w)
{
	static const struct timeval end = { .tv_usec = 10000 };

	event_base_loopexit(w->loop, &end);
	event_base_dispatch(w->loop);
}

/* A daemon that runs, with the claim; nothing is left to settle. */
static inline int open_with_claim(void **state)
{
	struct world *w;

	if (world_open(state))
		return -1;
	w = *state;
	claim(w, 0, 0);
	assert_int_equal(tracker_start(w->tracker), 0);
	turn(w);
	w->events = w->owned_events = w->entries = w->commits = 0;
	return 0;
}

/* A process of the claim's user listens on the port. */
static inline void start_nth_server(struct world *w, unsigned n, const char *cwd, uid_t uid)
{
	struct event process = process_event(n, cwd);
	struct event listen = socket_event(EVENT_LISTEN, n, COOKIE + n - 1, PORT);

	process.uid = process.process.uid = listen.uid = uid;
	tell(w, process);
	tell(w, listen);
}

static inline void start_server(struct world *w, const char *cwd, uid_t uid)
{
	start_nth_server(w, 1, cwd, uid);
}

/* The kernel knows the cookie alone, the table its port. */
static inline struct event close_event(unsigned actor, uint64_t cookie)
{
	struct event close = event_of(EVENT_CLOSE, actor);

	close.cookie = cookie;
	return close;
}

static inline void close_server(struct world *w)
{
	tell(w, close_event(1, COOKIE));
}

/* Turns the loop until the claim has the status. */
static inline void turn_until(struct world *w, enum service_status status)
{
	time_t deadline = time(NULL) + DEADLINE_S;
	struct service service;

	while (stored(w, &service) && service.status != status) {
		if (time(NULL) > deadline)
			fail_msg("still %s", service_status_name(service.status));
		turn(w);
	}
	assert_status(w, status);
}

/* --- the activity --- */

struct newest {
	enum activity_action action;
	char details[256], comm[32];
	uid_t uid;
	pid_t pid;
};

static inline bool keep_entry(const struct activity *entry, void *user_data)
{
	struct newest *ret = user_data;

	ret->action = entry->action;
	ret->uid = entry->uid;
	ret->pid = entry->pid;
	snprintf(ret->comm, sizeof(ret->comm), "%s", entry->comm);
	snprintf(ret->details, sizeof(ret->details), "%s", entry->details);
	return false;
}

/* The newest entry with that action, whose details have the words. */
static inline struct newest assert_entry(struct world *w, enum activity_action action,
					 const char *words)
{
	const struct activity_filter filter = { .actions = ACTIVITY_BIT(action) };
	struct newest newest = { .action = _ACTIVITY_ACTION_MAX };

	assert_int_equal(registry_for_each_activity(w->registry, &filter, keep_entry, &newest), 0);
	if (newest.action != action)
		fail_msg("there is no %s", activity_action_name(action));
	if (!strstr(newest.details, words))
		fail_msg("\"%s\" is not in: %s", words, newest.details);
	return newest;
}

static inline bool count_entry(const struct activity *entry, void *n)
{
	(*(unsigned *)n)++;
	return true;
}

static inline unsigned count_entries(struct world *w, enum activity_action action)
{
	const struct activity_filter filter = { .actions = ACTIVITY_BIT(action) };
	unsigned n = 0;

	assert_int_equal(registry_for_each_activity(w->registry, &filter, count_entry, &n), 0);
	return n;
}

#endif
