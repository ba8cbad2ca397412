/* SPDX-License-Identifier: MIT */
#include "cli/supervise/waiting.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/identity.h"
#include "base/moment.h"
#include "cli/client/answer.h"
#include "cli/project/config.h"

#define PATH_SIZE	   (IDENTITY_MAX * 3 + 128)
#define HEALTH_FIRST_MS	   50 /* between two checks of a server that is there; doubled each time */
#define HEALTH_MAX_MS	   1000
#define CONNECTION_LOOK_MS 1000 /* the kernel tells nothing of connections that end */

static void note_by(struct waiting *w, const char *comm, int64_t pid)
{
	if (pid)
		snprintf(w->by, sizeof(w->by), "%.16s (pid %lld)", comm, (long long)pid);
	else
		w->by[0] = '\0';
}

/* --- a server --- */

/* Is whoever connects to 127.0.0.1 accepted there? */
static bool is_on_loopback(struct json_object *socket)
{
	const char *addr = answer_text(socket, "addr");

	if (strcmp(addr, "::") == 0)
		return !answer_bool(socket, "v6only");
	return strcmp(addr, "0.0.0.0") == 0 || strcmp(addr, "127.0.0.1") == 0 ||
	       strcmp(addr, "::ffff:127.0.0.1") == 0 || strcmp(addr, "::ffff:0.0.0.0") == 0;
}

static bool serves_here(struct json_object *socket)
{
	return answer_bool(socket, "ownNetns") &&
	       strcmp(answer_text(socket, "state"), "LISTEN") == 0;
}

/* What listens on the port, whoever it is. */
static int look_at_sockets(struct waiting *w, struct json_object **ret_error)
{
	_cleanup_(answer_freep) struct json_object *answer = NULL;
	struct json_object *sockets;
	const char *elsewhere = NULL;
	char path[64];
	enum outcome outcome;

	snprintf(path, sizeof(path), "/v1/sockets?port=%u", w->port);
	outcome = client_request("GET", path, NULL, &answer);
	if (outcome != OUTCOME_OK) {
		*ret_error = TAKE_PTR(answer);
		return outcome;
	}
	sockets = answer_member(answer, "sockets");
	for (size_t i = 0; i < answer_length(sockets) && !w->reached; i++) {
		struct json_object *socket = answer_at(sockets, i);

		if (!serves_here(socket))
			continue;
		w->reached = is_on_loopback(socket);
		elsewhere = answer_text(socket, "addr");
		note_by(w, answer_text(socket, "process"),
			answer_item_int(answer_member(socket, "pids"), 0));
	}
	if (elsewhere)
		snprintf(w->still, sizeof(w->still), "listens on %s only", elsewhere);
	else
		snprintf(w->still, sizeof(w->still), "nothing listens yet");
	return 0;
}

/* Whose claim it is, and where; a server that does not fit it is not the one that is waited for. */
static int look_at_service(struct waiting *w, struct json_object **ret_error)
{
	const struct client_param params[] = { { "pattern", w->target.service } };
	_cleanup_(answer_freep) struct json_object *answer = NULL;
	struct json_object *service;
	enum outcome outcome;
	char path[PATH_SIZE];
	const char *near;

	client_path("/v1/services", params, 1, path, sizeof(path));
	outcome = client_request("GET", path, NULL, &answer);
	if (outcome != OUTCOME_OK) {
		*ret_error = TAKE_PTR(answer);
		return outcome;
	}
	service = answer_at(answer_member(answer, "services"), 0);
	w->port = (uint16_t)answer_int(service, "port");
	near = answer_text(answer, "near");
	if (!w->port)
		snprintf(w->still, sizeof(w->still), "is not claimed yet%s%s%s",
			 *near ? "; did you mean " : "", near, *near ? "?" : "");
	else if (strcmp(answer_text(service, "status"), "squatted") == 0)
		snprintf(w->still, sizeof(w->still), "its port %u: %s", w->port,
			 answer_text(service, "reason"));
	else
		w->still[0] = '\0';
	return 0;
}

static int look_for_server(struct waiting *w, struct json_object **ret_error)
{
	int r = *w->target.service ? look_at_service(w, ret_error) : 0;

	return r || *w->still ? r : look_at_sockets(w, ret_error);
}

/* --- its health --- */

static bool take_health(struct json_object *line, void *user_data)
{
	struct json_object **service = user_data;

	if (answer_has(line, "service") && !*service)
		*service = json_object_get(answer_member(line, "service"));
	return !answer_has(line, "healthy");
}

static int look_at_health(struct waiting *w, struct json_object **ret_error)
{
	_cleanup_(answer_freep) struct json_object *service = NULL;
	char match[IDENTITY_MAX + 1], id[IDENTITY_MAX + 1], paths[CONFIG_PATHS_SIZE];
	char path[PATH_SIZE + 3 * CONFIG_PATHS_SIZE];
	size_t left_out;
	struct client_param params[] = { { "match", match }, { "paths", paths } };
	unsigned doublings = w->health_looks < 8 ? w->health_looks : 8;
	int64_t pause_ms = (int64_t)HEALTH_FIRST_MS << doublings;
	enum outcome outcome;

	snprintf(match, sizeof(match), "%s", w->target.service);
	if (!*match)
		snprintf(match, sizeof(match), ":%u", w->port);
	params[0].value = config_meant_health(match, id, paths, &left_out);
	params[1].value = *paths ? paths : NULL;
	client_path("/v1/health", params, 2, path, sizeof(path));
	outcome = client_stream(path, CLIENT_ENDS, take_health, &service, ret_error);
	if (outcome == OUTCOME_NO) { /* a server that nobody has claimed the port for */
		snprintf(w->still, sizeof(w->still), "%s", answer_error_message(*ret_error));
		answer_free(TAKE_PTR(*ret_error));
		return 0;
	}
	if (outcome != OUTCOME_OK)
		return outcome;
	w->health_looks++;
	w->reached = answer_bool(service, "healthy");
	snprintf(w->still, sizeof(w->still), "is not healthy: %s", answer_text(service, "details"));
	/* no event tells that a server has begun to answer well */
	if (!w->reached)
		w->again_ms = clock_ms(CLOCK_MONOTONIC) +
			      (pause_ms < HEALTH_MAX_MS ? pause_ms : HEALTH_MAX_MS);
	return 0;
}

/* --- a free port --- */

/* What is in the way, in a few words; when the kernel will not tell, it says when to look. */
static void note_obstacle(struct waiting *w, struct json_object *why)
{
	struct json_object *sockets = answer_member(why, "sockets");
	struct json_object *holder = answer_at(answer_member(why, "holders"), 0);
	int64_t now_ms = clock_ms(CLOCK_MONOTONIC), left_ms = 0;
	bool told = false;

	for (size_t i = 0; i < answer_length(sockets); i++) {
		struct json_object *socket = answer_at(sockets, i);
		const char *state = answer_text(socket, "state");

		if (answer_int(socket, "timerMs") > left_ms)
			left_ms = answer_int(socket, "timerMs");
		told = told || !strcmp(state, "LISTEN") || !strcmp(state, "BOUND");
	}
	if (left_ms && !told)
		w->again_ms = now_ms + left_ms + 1;
	else if (!told)
		w->again_ms = now_ms + CONNECTION_LOOK_MS;
	if (strstr(answer_text(why, "verdict"), "time_wait")) /* whoever left it behind */
		w->time_wait_ms = w->again_ms;
	note_by(w, answer_text(holder, "comm"), answer_int(holder, "pid"));
	if (*w->by)
		snprintf(w->still, sizeof(w->still), "%s holds it", w->by);
	else
		snprintf(w->still, sizeof(w->still), "%s", answer_text(why, "summary"));
}

/* Nobody has it, and its claim's own runs can bind it. */
static bool is_kept_for_caller(const struct waiting *w)
{
	_cleanup_(answer_freep) struct json_object *answer = NULL;
	struct json_object *service;
	char path[64];

	snprintf(path, sizeof(path), "/v1/services?port=%u&details=no", w->port);
	if (client_request("GET", path, NULL, &answer) != OUTCOME_OK)
		return false;
	service = answer_at(answer_member(answer, "services"), 0);
	/* said of another user's alone */
	return service && !answer_has(service, "user");
}

static int look_at_port(struct waiting *w, struct json_object **ret_error)
{
	_cleanup_(answer_freep) struct json_object *why = NULL;
	enum outcome outcome;
	char path[64];

	snprintf(path, sizeof(path), "/v1/why?port=%u", w->port);
	outcome = client_request("GET", path, NULL, &why);
	if (outcome != OUTCOME_OK) {
		*ret_error = TAKE_PTR(why);
		return outcome;
	}
	w->reached = answer_bool(why, "free") ||
		     (!strcmp(answer_text(why, "verdict"), "protected") && is_kept_for_caller(w));
	if (!w->reached)
		note_obstacle(w, why);
	return 0;
}

/* --- all of it --- */

int waiting_look(struct waiting *w, struct json_object **ret_error)
{
	int r;

	w->again_ms = w->time_wait_ms = 0;
	w->still[0] = w->by[0] = '\0';
	w->port = w->target.port;
	if (w->goal == WAITING_FREE) {
		r = w->port ? 0 : look_at_service(w, ret_error);
		return r || !w->port ? r : look_at_port(w, ret_error);
	}
	r = look_for_server(w, ret_error);
	if (r || !w->reached || w->goal == WAITING_LISTENS)
		return r;
	w->reached = false;
	return look_at_health(w, ret_error);
}

const char *waiting_words(const struct waiting *w, char ret[static WAITING_WORDS_SIZE])
{
	int64_t left_ms = w->time_wait_ms - (int64_t)clock_ms(CLOCK_MONOTONIC);
	char age[32];

	if (w->time_wait_ms && left_ms > 0)
		snprintf(ret, WAITING_WORDS_SIZE, "%s: TIME_WAIT for %s more", w->target.name,
			 duration_format_long((left_ms + 999) / 1000, age));
	else
		snprintf(ret, WAITING_WORDS_SIZE, "%s: %s", w->target.name, w->still);
	return ret;
}

const char *waiting_state(enum waiting_goal goal)
{
	static const char *const names[] = { [WAITING_LISTENS] = "listening",
					     [WAITING_HEALTHY] = "healthy",
					     [WAITING_FREE] = "free" };

	return names[goal];
}
