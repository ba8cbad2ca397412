/* SPDX-License-Identifier: MIT */
#include "tracker/closes.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A table that cannot grow refuses the entry instead of ending the process. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "base/clock.h"
#include "base/procfs.h"
#include "tracker/activity.h"
#include "tracker/internal.h"

/* The service on a port, and who made it active. */
struct server {
	int port; /* the key */
	struct process_id process;
	bool waits; /* its end, which is below */
	int64_t due_ms;
	struct activity entry; /* whose texts are these */
	char service[IDENTITY_MAX + 1], details[TRACKER_DETAILS_SIZE], comm[PROCESS_COMM_SIZE];
	UT_hash_handle hh;
};

struct closes {
	struct activity_writer *activity;
	struct event *timer;
	struct server *servers;
};

static struct server *find(struct closes *c, int port)
{
	struct server *s;

	HASH_FIND_INT(c->servers, &port, s);
	return s;
}

static void forget(struct closes *c, struct server *s)
{
	HASH_DEL(c->servers, s);
	free(s);
}

/* --- writing --- */

static bool is_same(const struct service *service, void *user_data)
{
	struct server *s = user_data;

	s->waits = service->status == SERVICE_GHOST && strcmp(service->id, s->service) == 0;
	return false;
}

/* A claim that was released meanwhile has an entry that says more. */
static void write_end(struct closes *c, struct server *s)
{
	if (s->waits) {
		s->waits = false;
		registry_service_by_port(c->activity->registry, (uint16_t)s->port, is_same, s);
		if (s->waits)
			activity_write_or_log(c->activity, &s->entry);
	}
	forget(c, s);
}

static void on_timer(evutil_socket_t fd, short what, void *user_data)
{
	struct closes *c = user_data;
	int64_t now_ms = clock_ms(CLOCK_MONOTONIC), next_ms = INT64_MAX;
	struct server *s, *next;

	HASH_ITER(hh, c->servers, s, next) {
		if (s->waits && s->due_ms <= now_ms)
			write_end(c, s);
		else if (s->waits && s->due_ms < next_ms)
			next_ms = s->due_ms;
	}
	if (next_ms != INT64_MAX)
		timer_start(c->timer, next_ms - now_ms);
}

/* --- what happens --- */

bool closes_undone(struct closes *c, uint16_t port, const struct process_id *process)
{
	struct server *s = find(c, port);
	bool undone = s && s->waits && process_id_equal(&s->process, process);

	if (s && s->waits && !undone) {
		write_end(c, s);
		s = NULL;
	}
	if (!s) {
		s = calloc(1, sizeof(*s));
		if (!s)
			return false; /* its end is written at once, then */
		s->port = port;
		HASH_ADD_INT(c->servers, port, s);
		if (!s->hh.tbl) {
			free(s);
			return false;
		}
	}
	s->waits = false;
	s->process = *process;
	return undone;
}

bool closes_wait(struct closes *c, const struct activity *entry)
{
	struct server *s = find(c, entry->port);

	if (!s)
		return false;
	if (procfs_stage(&s->process) != PROCESS_RUNS) {
		forget(c, s);
		return false;
	}
	snprintf(s->service, sizeof(s->service), "%s", entry->service);
	snprintf(s->details, sizeof(s->details), "%s", entry->details);
	snprintf(s->comm, sizeof(s->comm), "%s", entry->comm ? entry->comm : "");
	s->entry = *entry;
	s->entry.service = s->service;
	s->entry.details = s->details;
	s->entry.comm = s->comm;
	s->waits = true;
	s->due_ms = clock_ms(CLOCK_MONOTONIC) + CLOSES_MOMENT_MS;
	timer_start(c->timer, CLOSES_MOMENT_MS);
	return true;
}

void closes_write(struct closes *c, uint16_t port)
{
	struct server *s = find(c, port);

	if (s)
		write_end(c, s);
}

void closes_write_all(struct closes *c)
{
	struct server *s, *next;

	HASH_ITER(hh, c->servers, s, next)
		write_end(c, s);
}

/* --- lifecycle --- */

int closes_new(struct event_base *loop, struct activity_writer *activity, struct closes **ret)
{
	struct closes *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->activity = activity;
	c->timer = evtimer_new(loop, on_timer, c);
	if (!c->timer) {
		free(c);
		return -ENOMEM;
	}
	*ret = c;
	return 0;
}

void closes_free(struct closes *c)
{
	struct server *s, *next;

	if (!c)
		return;
	HASH_ITER(hh, c->servers, s, next)
		forget(c, s);
	event_free(c->timer);
	free(c);
}
