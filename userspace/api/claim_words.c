/* SPDX-License-Identifier: MIT */
#include "api/claim_words.h"

#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>

#include "api/match.h"
#include "api/state.h"
#include "base/user.h"
#include "explain/explain.h"
#include "runs/protection.h"
#include "tracker/judge.h"
#include "view/why.h"

#define NOTICE_SIZE 1024
#define PRIVILEGED_PORT \
	1024 /* below it the kernel asks for a right, unless a sysctl says otherwise */

/* --- who is on a port --- */

/*
 * Fills the why object for the protocol that is in the way.  Assigning looks at both: a port that
 * only UDP holds is free to a TCP server, but is not handed out.
 */
static int explain(struct request *r, uint16_t port, struct json_object *why, const char **ret)
{
	struct why_question tcp = why_default_question(IPPROTO_TCP, port);
	struct why_question udp = why_default_question(IPPROTO_UDP, port);
	_cleanup_json_ struct json_object *answer = json_object_new_object();
	int fault = why_view(&r->api->explainer, &tcp, r->uid, r->now, answer);

	if (!fault && json_bool_of(answer, "free")) {
		json_object_put(answer);
		answer = json_object_new_object();
		fault = why_view(&r->api->explainer, &udp, r->uid, r->now, answer);
	}
	json_merge(why, answer);
	*ret = json_text_of(why, "summary");
	return fault;
}

/*
 * "node (94120) of dev2, listening on :::3000 since 2:47:23", without the user where it is the
 * caller's own.  1; 0, and "" in ret, where nobody is seen to hold the port; negative errno.
 */
#define WHO_SIZE (PROCESS_COMM_SIZE + USER_NAME_SIZE + WHY_SOCKET_SIZE + 32)
static int describe_holder(struct request *r, uint16_t port, char ret[static WHO_SIZE])
{
	struct inventory *inv = r->api->config.inventory;
	_cleanup_free_ struct holding *holdings = NULL;
	char comm[PROCESS_COMM_SIZE], where[WHY_SOCKET_SIZE];
	const struct process *process;
	const struct process_id *id;
	uid_t user = request_user(r);
	size_t n = 0;
	int fault = judge_holdings(inv, port, &holdings, &n);

	ret[0] = '\0';
	if (fault || !n)
		return fault;
	id = &holdings[0].holder->id;
	process = inventory_process(inv, id);
	why_describe_socket(holdings[0].socket, r->now, where);
	snprintf(ret, WHO_SIZE, "%s (%d)%s%s, %s", inventory_process_name(inv, id, comm), id->pid,
		 process && process->uid != user ? " of " : "",
		 process && process->uid != user ? user_name(process->uid) : "", where);
	return 1;
}

/* The user whose socket it is, where nobody is seen to hold the port. */
static void describe_hidden(struct request *r, uint16_t port, char ret[static WHO_SIZE])
{
	struct inventory *inv = r->api->config.inventory;
	const struct socket_row *row;
	const char *user = NULL;

	if (inventory_by_port(inv, inventory_own_netns(inv), port, &row, 1))
		user = row->uid == PROCESS_UID_UNKNOWN ? NULL : user_name(row->uid);
	if (user)
		snprintf(ret, WHO_SIZE, "a process of user %s that is hidden from here", user);
	else
		snprintf(ret, WHO_SIZE, "somebody who is not seen");
}

/* --- refusals --- */

/* "port 3000 is held by node (94120), listening on :::3000 since 2:47:23; see: pd why 3000" */
static int held_by_process(struct request *r, uint16_t port)
{
	struct json_object *why = json_object_new_object();
	char who[WHO_SIZE];
	const char *summary;
	int fault = explain(r, port, why, &summary), held;

	request_extra(r, "why", why);
	held = fault ? fault : describe_holder(r, port, who);
	if (held < 0)
		return held;
	if (json_bool_of(why, "free"))
		return request_fail(r, OUTCOME_CONFLICT,
				    "port %u was taken and has just become free: try again", port);
	if (!held)
		return request_fail(r, OUTCOME_CONFLICT, "%s See: pd why %u", summary, port);
	return request_fail(r, OUTCOME_CONFLICT, "port %u is held by %s; see: pd why %u", port, who,
			    port);
}

static int held_by_claim(struct request *r, uint16_t port, const struct claim_result *result)
{
	char shown[IDENTITY_MAX + 1];
	const char *id = match_shown_id(r, result->holder_id, result->holder_uid, shown);
	struct json_object *holder = json_object_new_object(), *why = json_object_new_object();
	const char *summary;
	int fault;

	json_add_text(holder, "id", id);
	request_extra(r, "holder", holder);
	request_extra(r, "why", why);
	fault = explain(r, port, why, &summary);
	if (fault)
		return fault;
	return request_fail(r, OUTCOME_CONFLICT, "port %u is claimed by %s; see: pd why %u", port,
			    id, port);
}

int claim_words_refuse(struct request *r, int outcome, const struct claim_batch *b)
{
	const struct claim_result *result = &b->refused->result;
	struct port_range range = b->range;

	if (!range.first)
		range = (struct port_range){ PORT_RANGE_FIRST, PORT_RANGE_LAST };
	switch (outcome) {
	case OUTCOME_CONFLICT:
		if (*result->holder_id)
			return held_by_claim(r, b->port, result);
		return held_by_process(r, b->port);
	case OUTCOME_TOO_LARGE:
		return request_fail_quota(r, QUOTA_CLAIMS, result->over);
	case OUTCOME_NO_FREE_PORT:
		return request_fail(r, OUTCOME_NO_FREE_PORT,
				    "every port from %u to %u is taken; give another range",
				    range.first, range.last);
	default:
		return outcome;
	}
}

/* --- notices --- */

/* What a notice is about. */
struct notice {
	struct request *r;
	const struct claim_batch *batch;
	const struct claim_order *order;
	struct json_object *o;
};

static void say(const struct notice *n, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void say(const struct notice *n, const char *format, ...)
{
	struct json_object *list = NULL;
	char text[NOTICE_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (!json_object_object_get_ex(n->o, "notices", &list))
		list = json_add_array(n->o, "notices");
	json_append(list, json_object_new_string(text));
}

static int say_aside(const struct notice *n)
{
	const struct claim_result *result = &n->order->result;
	char who[WHO_SIZE];
	int held;

	if (result->home == result->port)
		return 0;
	held = describe_holder(n->r, result->home, who);
	if (held < 0)
		return held;
	if (result->use == PORT_SERVED && !held) {
		say(n,
		    "port %u, the home of %s, is free again: claim it once this server has ended",
		    result->home, n->order->id);
		return 0;
	}
	if (!held)
		describe_hidden(n->r, result->home, who);
	say(n,
	    "port %u, the home of %s, is held by %s; it gets %u until a claim finds %u free (see: "
	    "pd why %u)",
	    result->home, n->order->id, who, result->port, result->home, result->home);
	return 0;
}

static int say_served(const struct notice *n)
{
	const struct claim_result *result = &n->order->result;
	char who[WHO_SIZE];
	int held;

	if (result->use != PORT_SERVED)
		return 0;
	held = describe_holder(n->r, result->port, who);
	if (held < 0)
		return held;
	say(n, "port %u is in use by %s itself: %s (see: pd why %u)", result->port, n->order->id,
	    held ? who : "a process that is not seen, or just ends", result->port);
	return 0;
}

/*
 * A port on which there was nothing to judge may still be refused: connections of a server that
 * ended, a port below 1024.
 */
static int say_not_bindable(const struct notice *n)
{
	const struct claim_result *result = &n->order->result;
	_cleanup_json_ struct json_object *why = NULL;
	struct why_question tcp = why_default_question(IPPROTO_TCP, result->port);
	bool is_free = !result->existing || result->previous_port;
	const char *summary;
	size_t length;
	int fault = 0;

	tcp.uid = n->batch->uid;
	if (result->use == PORT_SERVED)
		return 0;
	if (!is_free)
		fault = inventory_port_is_free(n->r->api->config.inventory, result->port, &is_free);
	if (fault || (is_free && result->port >= PRIVILEGED_PORT))
		return fault;
	why = json_object_new_object();
	fault = why_view(&n->r->api->explainer, &tcp, n->batch->uid, n->r->now, why);
	if (fault || json_bool_of(why, "free"))
		return fault;
	summary = json_text_of(why, "summary");
	/* without its full stop: the sentence goes on */
	length = strlen(summary);
	length -= length > 0 && summary[length - 1] == '.';
	say(n, "port %u cannot be bound now: %.*s (see: pd why %u)", result->port, (int)length,
	    summary, result->port);
	return fault;
}

static bool note_protected(const struct service *s, void *user_data)
{
	*(bool *)user_data = s->is_protected;
	return false;
}

/* A promise of an earlier daemon's, which this one cannot keep. */
static int say_not_kept(const struct notice *n)
{
	const struct api *api = n->r->api;
	char lift[WHY_MISSING_SIZE], command[WHY_COMMAND_SIZE];
	bool is_protected = false;
	int fault;

	if (protection_is_possible(api->protection))
		return 0;
	fault = registry_service_by_port(api->config.registry, n->order->result.port,
					 note_protected, &is_protected);
	if (fault < 0 || !is_protected)
		return fault < 0 ? fault : 0;
	why_lift_obstacle(api->explainer.report, n->r->uid, lift, command);
	say(n,
	    "%s is protected, but anybody can bind its port %u now: without eBPF this daemon has "
	    "nobody refused; %s%s%s",
	    n->order->id, n->order->result.port, lift, *command ? ": " : "", command);
	return 0;
}

/* What stays behind where the claim has been. */
static int say_left(const struct notice *n)
{
	const struct claim_result *result = &n->order->result;
	bool left = result->previous_port && n->batch->port;
	char who[WHO_SIZE];
	int held = left ? describe_holder(n->r, result->previous_port, who) : 0;

	if (held > 0)
		say(n, "the port that %s had, %u, is still held by %s", n->order->id,
		    result->previous_port, who);
	return held < 0 ? held : 0;
}

static void say_range(const struct notice *n)
{
	const struct claim_result *result = &n->order->result;
	const struct port_range *range = &n->batch->range;

	if (!range->first || (result->port >= range->first && result->port <= range->last))
		return;
	say(n,
	    "%s keeps its port %u, which lies outside of %u-%u: to get one from there, pd claim it "
	    "with -p PORT",
	    n->order->id, result->port, range->first, range->last);
}

/* Not the caller's own, and not obvious to who typed sudo. */
static void say_whose(const struct notice *n)
{
	if (n->batch->uid != n->r->uid)
		say(n, "%s belongs to %s, who called sudo", n->order->id, user_name(n->batch->uid));
}

int claim_words_notices(struct request *r, const struct claim_batch *b,
			const struct claim_order *order, struct json_object *o)
{
	const struct notice n = { r, b, order, o };
	static int (*const sayings[])(const struct notice *) = { say_aside, say_served,
								 say_not_bindable, say_not_kept,
								 say_left };
	int fault = 0;

	for (size_t i = 0; !fault && i < ARRAY_SIZE(sayings); i++)
		fault = sayings[i](&n);
	if (!fault)
		say_range(&n);
	if (!fault && !order->result.existing)
		say_whose(&n);
	return fault;
}
