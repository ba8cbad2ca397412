/* SPDX-License-Identifier: MIT */
#include "view/claim_words.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/user.h"
#include "http/json.h"
#include "view/why.h"

#define NOTICE_SIZE 1024

/* --- who is on a port --- */

/*
 * "node (94120) of dev2, listening on :::3000 since 2:47:23", without the user where it is the
 * caller's own; of a port on which nobody is seen the user whose socket it is.
 */
#define WHO_SIZE (PROCESS_COMM_SIZE + USER_NAME_SIZE + WHY_SOCKET_SIZE + 32)
static const char *describe_holder(const struct port_holder *h, uid_t user,
				   char ret[static WHO_SIZE])
{
	const char *owner = h->uid == PROCESS_UID_UNKNOWN ? NULL : user_name(h->uid);
	bool other = owner && h->uid != user;

	if (h->seen)
		snprintf(ret, WHO_SIZE, "%s (%d)%s%s, %s", h->comm, h->pid, other ? " of " : "",
			 other ? owner : "", h->where);
	else if (owner)
		snprintf(ret, WHO_SIZE, "a process of user %s that is hidden from here", owner);
	else
		snprintf(ret, WHO_SIZE, "somebody who is not seen");
	return ret;
}

/* --- refusals --- */

/* "port 3000 is held by node (94120), listening on :::3000 since 2:47:23; see: pd why 3000" */
void claim_words_conflict(const struct claim_conflict *c, struct json_object *extra,
			  char ret[static CLAIM_WORDS_SIZE])
{
	uint16_t port = c->batch->port;
	char who[WHO_SIZE];

	if (c->claim) {
		json_add_text(json_add_object(extra, "holder"), "id", c->claim);
		snprintf(ret, CLAIM_WORDS_SIZE, "port %u is claimed by %s; see: pd why %u", port,
			 c->claim, port);
	} else if (c->why->answer.free) {
		snprintf(ret, CLAIM_WORDS_SIZE,
			 "port %u was taken and has just become free: try again", port);
	} else if (!c->batch->holder.seen) {
		snprintf(ret, CLAIM_WORDS_SIZE, "%s See: pd why %u", c->why->summary, port);
	} else {
		snprintf(ret, CLAIM_WORDS_SIZE, "port %u is held by %s; see: pd why %u", port,
			 describe_holder(&c->batch->holder, c->user, who), port);
	}
	why_view(c->why, json_add_object(extra, "why"));
}

/* --- notices --- */

static void say(struct json_object *o, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void say(struct json_object *o, const char *format, ...)
{
	struct json_object *list = NULL;
	char text[NOTICE_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (!json_object_object_get_ex(o, "notices", &list))
		list = json_add_array(o, "notices");
	json_append(list, json_string(text));
}

static void say_aside(const struct claim_notes *n, struct json_object *o)
{
	const struct claim_result *result = &n->order->result;
	char who[WHO_SIZE];

	if (result->home == result->port)
		return;
	if (result->use == PORT_SERVED && !n->order->around.home.seen)
		say(o,
		    "port %u, the home of %s, is free again: claim it once this server has ended",
		    result->home, n->order->id);
	else
		say(o,
		    "port %u, the home of %s, is held by %s; it gets %u until a claim finds %u "
		    "free "
		    "(see: pd why %u)",
		    result->home, n->order->id,
		    describe_holder(&n->order->around.home, n->user, who), result->port,
		    result->home, result->home);
}

static void say_served(const struct claim_notes *n, struct json_object *o)
{
	const struct claim_result *result = &n->order->result;
	const struct port_holder *h = &n->order->around.port;
	char who[WHO_SIZE];

	if (result->use == PORT_SERVED)
		say(o, "port %u is in use by %s itself: %s (see: pd why %u)", result->port,
		    n->order->id,
		    h->seen ? describe_holder(h, n->user, who)
			    : "a process that is not seen, or just ends",
		    result->port);
}

/* Without its full stop: the sentence goes on. */
static void say_not_bindable(const struct claim_notes *n, struct json_object *o)
{
	uint16_t port = n->order->result.port;
	size_t length = n->refusal ? strlen(n->refusal) : 0;

	length -= length > 0 && n->refusal[length - 1] == '.';
	if (n->refusal)
		say(o, "port %u cannot be bound now: %.*s (see: pd why %u)", port, (int)length,
		    n->refusal, port);
}

/* A promise of an earlier daemon's, which this one cannot keep. */
static void say_not_kept(const struct claim_notes *n, struct json_object *o)
{
	if (n->lift)
		say(o,
		    "%s is protected, but anybody can bind its port %u now: without eBPF this "
		    "daemon "
		    "has nobody refused; %s%s%s",
		    n->order->id, n->order->result.port, n->lift, *n->command ? ": " : "",
		    n->command);
}

/* What stays behind where the claim has been. */
static void say_left(const struct claim_notes *n, struct json_object *o)
{
	char who[WHO_SIZE];

	if (n->order->around.left.seen)
		say(o, "the port that %s had, %u, is still held by %s", n->order->id,
		    n->order->result.previous_port,
		    describe_holder(&n->order->around.left, n->user, who));
}

static void say_range(const struct claim_notes *n, struct json_object *o)
{
	const struct claim_result *result = &n->order->result;
	const struct port_range *range = &n->batch->range;

	if (!range->first || (result->port >= range->first && result->port <= range->last))
		return;
	say(o,
	    "%s keeps its port %u, which lies outside of %u-%u: to get one from there, pd claim it "
	    "with -p PORT",
	    n->order->id, result->port, range->first, range->last);
}

/* Not the caller's own, and not obvious to who typed sudo. */
static void say_whose(const struct claim_notes *n, struct json_object *o)
{
	if (!n->order->result.existing && n->batch->uid != n->viewer)
		say(o, "%s belongs to %s, who called sudo", n->order->id, user_name(n->batch->uid));
}

void claim_words_notices(const struct claim_notes *n, struct json_object *o)
{
	static void (*const sayings[])(const struct claim_notes *, struct json_object *) = {
		say_aside, say_served, say_not_bindable, say_not_kept,
		say_left,  say_range,  say_whose
	};

	for (size_t i = 0; i < ARRAY_SIZE(sayings); i++)
		sayings[i](n, o);
}
