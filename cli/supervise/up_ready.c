/* SPDX-License-Identifier: MIT */
#include <json-c/json.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/client/answer.h"
#include "cli/project/config.h"
#include "cli/render/render.h"
#include "cli/supervise/members.h"
#include "cli/supervise/up_parts.h"

#define LOOK_MS		1000 /* where events are not told */
#define LOST_MS		3000 /* where they are: one may be lost in a flood of others */
#define HELLO_MS	2000 /* until the daemon has taken the stream on */
#define HEALTH_FIRST_MS 50   /* until a service that did not answer well is asked again */
#define HEALTH_MOST_MS	1000
#define STREAM_RUNS_MAX 64 /* that the daemon takes; of more services, events of all are read */

/* --- a service --- */

static double seconds_since_begin(const struct up_service *s)
{
	return (double)(clock_ms(CLOCK_MONOTONIC) - s->begun_ms) / 1000;
}

static void set_ready(struct up *u, struct up_service *s)
{
	char asked[OWN_RUN_ASKED_SIZE];

	if (s->node->state != NEEDS_BEGUN)
		return;
	s->node->state = NEEDS_READY;
	up_ready_look_later(u);
	if (!s->adopted && !s->was_ready)
		render_say(u->o->quiet, "%s serves on http://localhost:%d (%s%s, after %.1fs)",
			   s->config->name, s->own.port,
			   own_run_asked_for(&s->own, s->own.port, asked), s->server,
			   seconds_since_begin(s));
	s->was_ready = true;
}

void up_ready_note_listen(struct up *u, struct up_service *s, uint16_t port, const char *comm,
			  pid_t pid)
{
	char way[OWN_RUN_WAY_SIZE], asked[OWN_RUN_ASKED_SIZE];

	if (s->node->state != NEEDS_BEGUN || s->listens)
		return;
	if (port != s->own.port) {
		/* that of a claim beside its own, which a port of its source became */
		if (*own_run_asked_for(&s->own, port, asked))
			return;
		if (!s->told_elsewhere)
			render_say(
				u->o->quiet,
				"%s listens on port %d, its own is %d, in $PORT (%.16s, pid %d); "
				"%s makes that of it",
				s->config->name, port, s->own.port, comm, pid,
				own_run_way(&s->own, port, way));
		s->told_elsewhere = true;
		return;
	}
	s->listens = true;
	snprintf(s->server, sizeof(s->server), "%.16s, pid %d", comm, pid);
	if (*s->config->health) {
		s->health_due_ms = clock_ms(CLOCK_MONOTONIC);
		return;
	}
	s->ready_ms = s->adopted ? 0 : clock_ms(CLOCK_MONOTONIC);
	set_ready(u, s);
}

/* True also where nobody can be asked. */
static bool listens_still(const struct up_service *s)
{
	_cleanup_(members_deinit) struct members m = { 0 };
	bool asked = members_look(s->own.number, &m), listens = !asked;

	for (size_t i = 0; i < m.n; i++)
		for (size_t j = 0; j < answer_length(m.list[i].ports); j++)
			listens = listens || (m.list[i].run == s->own.number &&
					      answer_item_int(m.list[i].ports, j) == s->own.port);
	return listens;
}

static int64_t lasts_at_ms(const struct up_service *s)
{
	int64_t at_ms = s->ready_ms + OWN_RUN_TRIAL_MS;

	if (s->node->state != NEEDS_READY || !s->ready_ms || clock_ms(CLOCK_MONOTONIC) >= at_ms)
		return 0;
	return at_ms;
}

int64_t up_ready_lasts_at_ms(const struct up *u)
{
	int64_t last_ms = 0;

	for (size_t i = 0; i < u->n; i++)
		if (lasts_at_ms(&u->services[i]) > last_ms)
			last_ms = lasts_at_ms(&u->services[i]);
	return last_ms;
}

/* It was a trial: what needs it has begun, and is a moment early; nobody else is told. */
static void note_close(struct up *u, struct up_service *s, uint16_t port)
{
	if (port != s->own.port || !lasts_at_ms(s) || listens_still(s))
		return;
	s->node->state = NEEDS_BEGUN;
	s->listens = false;
	up_ready_look_later(u);
	members_tell(s->own.number, NULL, "starting", false);
}

/* --- its health --- */

static void take_health(struct json_object *line, void *user_data)
{
	struct up_service *s = user_data;
	struct json_object *service = answer_member(line, "service");

	if (service)
		s->is_healthy = answer_bool(service, "healthy");
}

static void ask_health(struct up_service *s)
{
	const struct client_param params[] = { { "match", s->config->id } };
	char path[512];

	s->health_due_ms = 0;
	client_path("/v1/health", params, 1, path, sizeof(path));
	if (follow_open(&s->health, path))
		s->health.c.fd = -1;
}

static void ask_again_later(struct up_service *s)
{
	s->health_pause_ms = !s->health_pause_ms		       ? HEALTH_FIRST_MS
			     : s->health_pause_ms < HEALTH_MOST_MS / 2 ? 2 * s->health_pause_ms
								       : HEALTH_MOST_MS;
	s->health_due_ms = clock_ms(CLOCK_MONOTONIC) + s->health_pause_ms;
}

void up_ready_check_health(struct up *u, struct up_service *s)
{
	if (s->node->state != NEEDS_BEGUN || !s->listens)
		return;
	if (s->health.c.fd < 0 && s->health_due_ms && clock_ms(CLOCK_MONOTONIC) >= s->health_due_ms)
		ask_health(s);
	if (s->health.c.fd >= 0 && !follow_read(&s->health, take_health, s) && !s->is_healthy)
		return;
	if (s->is_healthy) {
		follow_close(&s->health);
		s->health.c.fd = -1;
		set_ready(u, s);
	} else if (!s->health_due_ms) {
		s->health.c.fd = -1;
		ask_again_later(s);
	}
}

/* --- all of them --- */

static struct up_service *service_of_run(struct up *u, uint32_t run)
{
	for (size_t i = 0; run && i < u->n; i++)
		if (u->services[i].own.number == run)
			return &u->services[i];
	return NULL;
}

static void take_event(struct json_object *line, void *user_data)
{
	struct up *u = user_data;
	const char *event = answer_text(line, "event");
	struct up_service *s = service_of_run(u, run_id_parse(answer_text(line, "run")));
	char words[OWN_RUN_WORDS_SIZE];

	if (answer_has(line, "stream"))
		u->stream_begun = true;
	if (!s)
		return;
	if (strcmp(event, "LISTEN") == 0)
		up_ready_note_listen(u, s, (uint16_t)answer_int(line, "port"),
				     answer_text(line, "comm"), (pid_t)answer_int(line, "pid"));
	else if (strcmp(event, "CLOSE") == 0)
		note_close(u, s, (uint16_t)answer_int(line, "port"));
	else if (strcmp(event, "FAIL") == 0 && own_run_explain_refusal(&s->own, line, words))
		render_say(u->o->quiet, "%s: %s", s->config->name, words);
}

bool up_ready_is_settled(const struct up *u)
{
	for (size_t i = 0; i < u->n; i++)
		if (u->services[i].node->state == NEEDS_WAITING ||
		    u->services[i].node->state == NEEDS_BEGUN)
			return false;
	return true;
}

void up_ready_look_later(struct up *u)
{
	bool is_told = u->stream.c.fd >= 0 && !u->looks_around;

	if (u->stream.c.fd >= 0 && up_ready_is_settled(u))
		u->look_due_ms = 0;
	else
		u->look_due_ms = clock_ms(CLOCK_MONOTONIC) + (is_told ? LOST_MS : LOOK_MS);
}

static void look_soon(struct up *u)
{
	u->looks_around = true;
	u->look_due_ms = clock_ms(CLOCK_MONOTONIC) + LOOK_MS;
}

void up_ready_read_events(struct up *u)
{
	if (u->stream.c.fd < 0 || !follow_read(&u->stream, take_event, u))
		return;
	u->stream.c.fd = -1;
	look_soon(u);
}

static int open_stream(struct up *u)
{
	char path[2048] = "/v1/events";
	size_t used = strlen(path), n = 0;

	for (size_t i = 0; i < u->n; i++) {
		char id[RUN_ID_SIZE];

		if (!u->services[i].own.number)
			continue;
		if (++n > STREAM_RUNS_MAX)
			break;
		used += (size_t)snprintf(
			path + used, sizeof(path) - used, "%s%s",
			n > 1 ? "," : "?run=", run_id_format(u->services[i].own.number, id));
	}
	if (n > STREAM_RUNS_MAX)
		strcpy(path, "/v1/events");
	return follow_open(&u->stream, path);
}

void up_ready_follow(struct up *u)
{
	int64_t until_ms = clock_ms(CLOCK_MONOTONIC) + HELLO_MS, left_ms;
	bool all_followed = true;

	for (size_t i = 0; i < u->n; i++)
		all_followed = all_followed &&
			       (!u->services[i].own.number || u->services[i].own.followed);
	u->looks_around = false;
	u->look_due_ms = 0;
	u->stream_begun = false;
	if (open_stream(u) || !all_followed)
		look_soon(u);
	while (u->stream.c.fd >= 0 && !u->stream_begun &&
	       (left_ms = until_ms - clock_ms(CLOCK_MONOTONIC)) > 0) {
		struct pollfd fd = { .fd = u->stream.c.fd, .events = POLLIN };

		poll(&fd, 1, (int)left_ms);
		up_ready_read_events(u);
	}
	/* it may begin behind the listen that it is to tell */
	if (!u->stream_begun)
		look_soon(u);
}

static void look_at_member(struct up *u, const struct member *m)
{
	struct up_service *s = service_of_run(u, m->run);

	for (size_t i = 0; s && i < answer_length(m->ports); i++)
		up_ready_note_listen(u, s, (uint16_t)answer_item_int(m->ports, i), m->comm,
				     m->id.pid);
}

void up_ready_look_around(struct up *u)
{
	_cleanup_(members_deinit) struct members m = { 0 };

	if (u->stream.c.fd < 0) {
		up_ready_follow(u);
		/* a daemon that is there again knows of the runs, but maybe not of all members */
		for (size_t i = 0; u->stream.c.fd >= 0 && i < u->n; i++)
			if (u->services[i].own.number)
				members_tell(u->services[i].own.number, NULL, NULL, true);
	}
	if (members_look(0, &m))
		for (size_t i = 0; i < m.n; i++)
			look_at_member(u, &m.list[i]);
	up_ready_look_later(u);
}
