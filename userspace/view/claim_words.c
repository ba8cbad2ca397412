/* SPDX-License-Identifier: MIT */
#include "view/claim_words.h"

#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/user.h"
#include "explain/explain.h"
#include "http/json.h"
#include "registry/registry.h"
#include "runs/protection.h"
#include "tracker/claim.h"
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
static int why_of(const struct claim_reader *c, const struct why_question *q, uid_t viewer,
		  struct json_object *o)
{
	_cleanup_(why_facts_deinit) struct why_facts f = { 0 };
	const struct why_asked asked = { .question = *q, .viewer = viewer, .now = c->now };
	int fault = explain_question(c->explainer, &asked, &f);

	if (!fault)
		why_view(&f, o);
	return fault;
}

static int explain(const struct claim_reader *c, uint16_t port, struct json_object *why,
		   const char **ret)
{
	struct why_question tcp = why_default_question(IPPROTO_TCP, port);
	struct why_question udp = why_default_question(IPPROTO_UDP, port);
	_cleanup_json_ struct json_object *answer = json_object_new_object();
	int fault = why_of(c, &tcp, c->viewer, answer);

	if (!fault && json_bool_of(answer, "free")) {
		json_object_put(answer);
		answer = json_object_new_object();
		fault = why_of(c, &udp, c->viewer, answer);
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
static int describe_holder(const struct claim_reader *c, uint16_t port, char ret[static WHO_SIZE])
{
	struct inventory *inv = c->explainer->inventory;
	_cleanup_free_ struct holding *holdings = NULL;
	char comm[PROCESS_COMM_SIZE], where[WHY_SOCKET_SIZE];
	const struct process *process;
	const struct process_id *id;
	size_t n = 0;
	int fault = judge_holdings(inv, port, &holdings, &n);

	ret[0] = '\0';
	if (fault || !n)
		return fault;
	id = &holdings[0].holder->id;
	process = inventory_process(inv, id);
	why_describe_socket(holdings[0].socket, c->now, where);
	snprintf(ret, WHO_SIZE, "%s (%d)%s%s, %s", inventory_process_name(inv, id, comm), id->pid,
		 process && process->uid != c->user ? " of " : "",
		 process && process->uid != c->user ? user_name(process->uid) : "", where);
	return 1;
}

/* The user whose socket it is, where nobody is seen to hold the port. */
static void describe_hidden(const struct claim_reader *c, uint16_t port, char ret[static WHO_SIZE])
{
	struct inventory *inv = c->explainer->inventory;
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
static int held_by_process(const struct claim_reader *c, uint16_t port, struct json_object *why,
			   char ret[static CLAIM_WORDS_SIZE])
{
	char who[WHO_SIZE];
	const char *summary;
	int fault = explain(c, port, why, &summary);
	int held = fault ? fault : describe_holder(c, port, who);

	if (held < 0)
		return held;
	if (json_bool_of(why, "free"))
		snprintf(ret, CLAIM_WORDS_SIZE,
			 "port %u was taken and has just become free: try again", port);
	else if (!held)
		snprintf(ret, CLAIM_WORDS_SIZE, "%s See: pd why %u", summary, port);
	else
		snprintf(ret, CLAIM_WORDS_SIZE, "port %u is held by %s; see: pd why %u", port, who,
			 port);
	return 0;
}

static int held_by_claim(const struct claim_reader *c, uint16_t port,
			 const struct claim_result *result, struct json_object *extra,
			 char ret[static CLAIM_WORDS_SIZE])
{
	char shown[IDENTITY_MAX + 1];
	const char *id = registry_shown_id(c->explainer->registry, result->holder_id,
					   result->holder_uid, c->user, shown);
	const char *summary;

	json_add_text(json_add_object(extra, "holder"), "id", id);
	snprintf(ret, CLAIM_WORDS_SIZE, "port %u is claimed by %s; see: pd why %u", port, id, port);
	return explain(c, port, json_add_object(extra, "why"), &summary);
}

int claim_words_conflict(const struct claim_reader *c, const struct claim_batch *b,
			 struct json_object *extra, char ret[static CLAIM_WORDS_SIZE])
{
	const struct claim_result *result = &b->refused->result;

	if (*result->holder_id)
		return held_by_claim(c, b->port, result, extra, ret);
	return held_by_process(c, b->port, json_add_object(extra, "why"), ret);
}

/* --- notices --- */

/* What a notice is about. */
struct notice {
	const struct claim_reader *reader;
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
	held = describe_holder(n->reader, result->home, who);
	if (held < 0)
		return held;
	if (result->use == PORT_SERVED && !held) {
		say(n,
		    "port %u, the home of %s, is free again: claim it once this server has ended",
		    result->home, n->order->id);
		return 0;
	}
	if (!held)
		describe_hidden(n->reader, result->home, who);
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
	held = describe_holder(n->reader, result->port, who);
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
		fault = inventory_port_is_free(n->reader->explainer->inventory, result->port,
					       &is_free);
	if (fault || (is_free && result->port >= PRIVILEGED_PORT))
		return fault;
	why = json_object_new_object();
	fault = why_of(n->reader, &tcp, n->batch->uid, why);
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
	const struct explainer *x = n->reader->explainer;
	char lift[WHY_MISSING_SIZE], command[WHY_COMMAND_SIZE];
	bool is_protected = false;
	int fault;

	if (protection_is_possible(n->reader->protection))
		return 0;
	fault = registry_service_by_port(x->registry, n->order->result.port, note_protected,
					 &is_protected);
	if (fault < 0 || !is_protected)
		return fault < 0 ? fault : 0;
	why_lift_obstacle(x->report, n->reader->viewer, lift, command);
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
	int held = left ? describe_holder(n->reader, result->previous_port, who) : 0;

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
	if (n->batch->uid != n->reader->viewer)
		say(n, "%s belongs to %s, who called sudo", n->order->id, user_name(n->batch->uid));
}

int claim_words_notices(const struct claim_reader *c, const struct claim_batch *b,
			const struct claim_order *order, struct json_object *o)
{
	const struct notice n = { c, b, order, o };
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
