/* SPDX-License-Identifier: MIT */
#include "cli/client/handover.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/identity.h"
#include "base/own_pd.h"
#include "base/user.h"
#include "cli/client/answer.h"
#include "cli/client/body.h"
#include "cli/client/client.h"
#include "cli/client/connection.h"
#include "cli/client/peer.h"
#include "cli/client/stop_daemon.h"
#include "cli/render/render.h"

#define WHY_SIZE   (STOP_DAEMON_ERROR_SIZE + 64)
#define PATH_SIZE  1024 /* of a question, and where its list goes on */
#define PAGES_MAX  1000 /* of 500 rows; a user has up to 2,000 claims */
#define MOVED_SIZE 96

struct handover {
	struct peer own;
	size_t claims;
	size_t n_moved;		/* of them, to another port */
	char moved[MOVED_SIZE]; /* the first of these: ", app:web on 3102 instead of 3101" */
	char why[WHY_SIZE];	/* it does not go on; "" = it does */
};

/* Asks one's own daemon.  NULL, and why. */
static struct json_object *ask(struct handover *h, const char *path)
{
	_cleanup_(connection_close) struct connection c = { .fd = -1 };
	struct json_object *answer = NULL;

	if (connection_open_within(&c, h->own.socket, PEER_ANSWER_S) == 0 &&
	    client_request_within(TAKE_FD(c.fd), path, PEER_ANSWER_S, &answer) == OUTCOME_OK)
		return answer;
	snprintf(h->why, sizeof(h->why), "it does not answer%s%.300s", answer ? ": " : "",
		 answer ? answer_error_message(answer) : "");
	answer_free(answer);
	return NULL;
}

/* The service would know neither the locks nor the runs, and whoever waits for them asks it. */
static bool is_idle(struct handover *h)
{
	_cleanup_(answer_freep) struct json_object *status = ask(h, "/v1/status");
	_cleanup_(answer_freep) struct json_object *runs = status ? ask(h, "/v1/runs") : NULL;
	int64_t locks = answer_int(answer_member(status, "locks"), "held");
	size_t n_runs = answer_length(answer_member(runs, "runs"));

	if (runs && (locks || n_runs))
		snprintf(h->why, sizeof(h->why),
			 "it keeps %lld lock%s and %zu run%s, and hands its claims over when they "
			 "have ended",
			 (long long)locks, locks == 1 ? "" : "s", n_runs, n_runs == 1 ? "" : "s");
	return runs && !*h->why;
}

static struct json_object *body_of(struct json_object *service, bool same_port)
{
	struct json_object *body = json_object_new_object();
	int64_t left = answer_int(service, "expiresAt") - (int64_t)time(NULL);
	char ttl[32];

	body_add_text(body, "id", answer_text(service, "id"));
	body_add_text(body, "cwd", answer_text(service, "cwd"));
	body_add_text(body, "health", answer_text(service, "healthPath"));
	if (answer_int(service, "expiresAt")) {
		snprintf(ttl, sizeof(ttl), "%llds", (long long)(left > 0 ? left : 1));
		body_add_text(body, "ttl", ttl);
	}
	if (same_port) {
		json_object_object_add(body, "port",
				       json_object_new_int64(answer_int(service, "port")));
		json_object_object_add(body, "running", json_object_new_boolean(true));
	}
	return body;
}

static enum outcome claim_at_service(struct json_object *service, bool same_port,
				     struct json_object **ret)
{
	_cleanup_(answer_freep) struct json_object *body = body_of(service, same_port);

	return client_request("POST", "/v1/claims", body, ret);
}

static void note_move(struct handover *h, struct json_object *service, struct json_object *given)
{
	if (!h->n_moved++)
		snprintf(h->moved, sizeof(h->moved), ", %.48s on %d instead of %d",
			 answer_text(service, "id"), (int)answer_int(given, "port"),
			 (int)answer_int(service, "port"));
}

static bool move(struct handover *h, struct json_object *service)
{
	_cleanup_(answer_freep) struct json_object *taken = NULL, *given = NULL;
	enum outcome outcome;

	/* one that root started for him may have others' claims, which are not his to give away */
	if (strcmp(answer_text(service, "user"), user_name(h->own.uid)) != 0)
		return true;
	outcome = claim_at_service(service, true, &given);
	if (outcome == OUTCOME_CONFLICT) {
		taken = TAKE_PTR(given);
		outcome = claim_at_service(service, false, &given);
	}
	if (outcome != OUTCOME_OK) {
		snprintf(h->why, sizeof(h->why), "the service does not take %.*s: %.300s",
			 IDENTITY_MAX, answer_text(service, "id"), answer_error_message(given));
		return false;
	}
	h->claims++;
	if (answer_int(given, "port") != answer_int(service, "port"))
		note_move(h, service, given);
	return true;
}

static bool move_all(struct handover *h)
{
	char path[PATH_SIZE] = "/v1/services";

	for (int pages = 0; pages < PAGES_MAX; pages++) {
		_cleanup_(answer_freep) struct json_object *answer = ask(h, path);
		struct json_object *services = answer_member(answer, "services");
		struct client_param after = { "after", answer_text(answer, "next") };

		if (!answer)
			return false;
		for (size_t i = 0; i < answer_length(services); i++)
			if (!move(h, answer_at(services, i)))
				return false;
		if (!*after.value)
			return true;
		if (client_path("/v1/services", &after, 1, path, sizeof(path)) < 0)
			break;
	}
	snprintf(h->why, sizeof(h->why), "its list of claims does not end");
	return false;
}

void handover(void)
{
	struct handover h = { .own.fd = -1 };
	char pd[OWN_PD_SIZE], more[48] = "";

	/* root under sudo is somebody else to the service than the user whose daemon it is */
	if (peer_find_beside_service(&h.own) && h.own.uid == geteuid() && is_idle(&h) &&
	    move_all(&h) && stop_daemon(&h.own, "stop", false, h.why) == OUTCOME_OK) {
		if (h.n_moved > 1)
			snprintf(more, sizeof(more), " and %zu more on other ports", h.n_moved - 1);
		render_note("your own daemon (pid %d) has handed %zu claim%s over to the system "
			    "service%s%s, and has ended",
			    h.own.pid, h.claims, h.claims == 1 ? "" : "s", h.moved, more);
	} else if (*h.why) {
		render_note("your own daemon (pid %d) goes on beside the system service: %s (%s "
			    "daemon stop ends it)",
			    h.own.pid, h.why, own_pd(pd));
	}
	peer_deinit(&h.own);
}
