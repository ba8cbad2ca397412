/* SPDX-License-Identifier: MIT */
#include "cli/commands/locking.h"

#include <json-c/json.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/identity.h"
#include "base/text.h"
#include "cli/arguments/check.h"
#include "cli/client/answer.h"
#include "cli/client/answer_check.h"
#include "cli/client/body.h"
#include "cli/client/client.h"
#include "cli/render/render.h"

/*
 * A daemon that was killed is back within moments, started by us or by its manager.  So often it is
 * asked again before that is given up, each time after twice the pause.
 */
#define RECONNECTS_MAX	    8
#define RECONNECT_PAUSE_MS  40
#define RECONNECT_RESTED_MS 5000 /* a connection that lasted so long was no vain attempt */
/* The daemon ends a wait by itself; its answer gets so much more time than that. */
#define ANSWER_SPARE_S 30

/* --- the command line --- */

static const char *value_of(const struct locking *l, const char *option)
{
	return command_value(l->line, option);
}

static int read_wait(struct locking *l)
{
	const char *wait = value_of(l, "wait");

	l->waits = wait != NULL;
	if (!wait || !*wait)
		return 0;
	return check_duration(l->line, "wait", wait, &l->wait_s);
}

/* The session, else the service that this runs for; NULL when the environment names none. */
static const char *environment_holder(void)
{
	static const char *const variables[] = { "PORT_DADDY_SESSION", "PORT_DADDY_SERVICE" };

	for (size_t i = 0; i < ARRAY_SIZE(variables); i++) {
		const char *value = getenv(variables[i]);

		if (value && *value)
			return value;
	}
	return NULL;
}

/* A name that was typed is sent as it is, or refused here; NULL where it was not. */
static int read_name(const struct locking *l, const char *option, const char **ret)
{
	const char *name = *ret = value_of(l, option);

	if (!name || (*name && text_is_utf8(name, strlen(name))))
		return 0;
	return render_usage_error(l->line, "--%s '%.100s' is no name", option, name);
}

int locking_read(const struct command_line *line, struct locking *ret)
{
	const char *why;
	int r = 0;

	*ret = (struct locking){ .line = line, .name = line->args[0] };
	if (lock_name_check(ret->name, &why) < 0)
		return render_usage_error(
			line, "'%.100s' is no lock: %s; for example db-migrations", ret->name, why);
	ret->machine = value_of(ret, "machine") != NULL;
	if (ret->machine && value_of(ret, "user"))
		return render_usage_error(line, "--machine and --user exclude each other: the "
						"machine's lock is everybody's");
	ret->on_behalf = environment_holder();
	r = read_name(ret, "user", &ret->user);
	r = r ?: read_name(ret, "holder", &ret->holder);
	ret->ttl = value_of(ret, "ttl");
	if (!r && ret->ttl)
		r = check_duration(line, "ttl", ret->ttl, &ret->ttl_s);
	return r ? r : read_wait(ret);
}

/* --- requests --- */

static struct json_object *body_of(const struct locking *l)
{
	struct json_object *o = json_object_new_object();
	char cwd[PATH_MAX];

	body_add_text(o, "name", l->name);
	/* a daemon that is older knows neither of them, and is told of them only where they count
	 */
	if (l->machine)
		json_object_object_add(o, "machine", json_object_new_boolean(true));
	body_add_text(o, "user", l->user);
	body_add_text(o, "holder", l->holder);
	body_add_text(o, "onBehalf", l->on_behalf);
	body_add_text(o, "owner", l->own ? "caller" : "parent");
	body_add_text(o, "cwd", getcwd(cwd, sizeof(cwd)) ? cwd : NULL);
	return o;
}

/* Fills the wait that is left until the deadline; false when there is none. */
static bool set_wait(const struct locking *l, struct json_object *body, int64_t deadline_ms,
		     int64_t *ret_timeout_s)
{
	int64_t left_s = (deadline_ms - clock_ms(CLOCK_MONOTONIC) + 999) / 1000;
	char text[32];

	*ret_timeout_s = ANSWER_SPARE_S;
	if (!l->waits)
		return true;
	if (!l->wait_s) {
		*ret_timeout_s = 0;
		body_add_text(body, "wait", "forever");
		return true;
	}
	if (left_s <= 0)
		return false;
	*ret_timeout_s = left_s + ANSWER_SPARE_S;
	snprintf(text, sizeof(text), "%llds", (long long)left_s);
	body_add_text(body, "wait", text);
	return true;
}

struct attempts {
	int without_result;
	int64_t began_ms;
};

/* Pauses and returns true when the daemon, which has just ended, is to be asked again. */
static bool may_try_again(struct attempts *a)
{
	if (clock_ms(CLOCK_MONOTONIC) - a->began_ms >= RECONNECT_RESTED_MS)
		a->without_result = 0;
	if (a->without_result == RECONNECTS_MAX)
		return false;
	poll(NULL, 0, RECONNECT_PAUSE_MS << a->without_result++);
	return true;
}

static enum outcome acquire(const struct locking *l, struct json_object *body, int64_t deadline_ms,
			    struct json_object **ret)
{
	struct attempts attempts = { 0 };
	bool lost_one = false; /* a daemon was there: that none is there now may pass */
	enum outcome outcome;

	for (;;) {
		bool broken = false;
		int64_t timeout_s;

		if (!set_wait(l, body, deadline_ms, &timeout_s) && lost_one)
			return outcome;
		json_object_put(*ret);
		*ret = NULL;
		attempts.began_ms = clock_ms(CLOCK_MONOTONIC);
		outcome = client_request_patiently("POST", "/v1/locks", body, timeout_s, &broken,
						   ret);
		lost_one = lost_one || broken;
		if (!broken && !(lost_one && outcome == OUTCOME_NO_DAEMON))
			return outcome;
		if (!may_try_again(&attempts))
			return outcome;
	}
}

/* Takes `answer`. */
static int finish(const struct locking *l, enum outcome outcome, struct json_object *answer,
		  struct json_object **ret)
{
	static const struct answer_rule rule = { NULL, "fence", ANSWER_FENCE };
	_cleanup_(answer_freep) struct json_object *owned = answer;
	int r;

	if (outcome != OUTCOME_OK)
		return render_outcome(l->line->json, outcome, answer);
	r = answer_check(l->line->json, answer, &rule, 1);
	if (!r)
		*ret = TAKE_PTR(owned);
	return r;
}

int locking_path(const struct locking *l, char *ret, int size)
{
	struct client_param params[] = {
		{ "name", l->name },
		{ "machine", l->machine ? "1" : NULL },
		{ "user", l->user },
	};

	return client_path("/v1/locks", params, ARRAY_SIZE(params), ret, size);
}

/* Who waits wants to know for whom. */
static void say_who_holds(const struct locking *l)
{
	_cleanup_(answer_freep) struct json_object *answer = NULL;
	struct json_object *lock;
	char path[512];

	if (l->line->quiet || l->line->json || !isatty(STDERR_FILENO) ||
	    locking_path(l, path, sizeof(path)) < 0 ||
	    client_request("GET", path, NULL, &answer) != OUTCOME_OK)
		return;
	lock = answer_at(answer_member(answer, "locks"), 0);
	if (answer_bool(lock, "held"))
		render_note("waiting for %s, which %s (%s, pid %d) holds", l->name,
			    answer_text(lock, "holder"), answer_text(lock, "process"),
			    (int)answer_int(lock, "pid"));
}

int locking_acquire(const struct locking *l, struct json_object **ret)
{
	_cleanup_(answer_freep) struct json_object *body = body_of(l);
	struct json_object *answer = NULL;
	enum outcome outcome;

	body_add_text(body, "ttl", l->ttl);
	body_add_text(body, "program", l->program);
	if (l->own)
		json_object_object_add(body, "run", json_object_new_boolean(true));
	if (l->waits)
		say_who_holds(l);
	outcome = acquire(l, body, clock_ms(CLOCK_MONOTONIC) + l->wait_s * 1000, &answer);
	return finish(l, outcome, answer, ret);
}

bool locking_renew(const struct locking *l, int64_t fence, bool *ret_lost, struct json_object **ret)
{
	_cleanup_(answer_freep) struct json_object *body = body_of(l);
	enum outcome outcome;

	json_object_object_add(body, "fence", json_object_new_int64(fence));
	outcome = client_request("POST", "/v1/locks", body, ret);
	*ret_lost = outcome == OUTCOME_CONFLICT;
	return outcome == OUTCOME_OK;
}

int locking_release(const struct locking *l, bool force, int64_t fence, struct json_object **ret)
{
	_cleanup_(answer_freep) struct json_object *body = body_of(l);
	struct json_object *answer = NULL;
	enum outcome outcome;

	if (force)
		json_object_object_add(body, "force", json_object_new_boolean(true));
	if (fence)
		json_object_object_add(body, "fence", json_object_new_int64(fence));
	outcome = client_request("POST", "/v1/unlocks", body, &answer);
	return finish(l, outcome, answer, ret);
}
