/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <json-c/json_tokener.h>
#include <stdlib.h>
#include <string.h>

#include "registry/registry.h"
#include "view/why.h"

#define REMEMBERED_S 60 /* "a moment ago": long enough to read an error and type a command */

struct memory {
	const struct why_facts *f;
	const struct inventory *inv;
	int error;
	uint64_t cookie; /* of its network namespace; 0 = not known */
};

/* Who names no address asks about the port as a whole. */
static bool is_about(const struct why_facts *f, struct json_object *o)
{
	const struct why_question *q = &f->question;
	struct json_object *asked = json_object_object_get(o, "asked");
	char addr[NET_ADDR_STR_SIZE];

	return json_int_of(o, "netns") == f->netns.inode &&
	       !strcmp(json_text_of(o, "proto"), net_protocol_name(q->protocol)) &&
	       (!q->addr_named ||
		!strcmp(json_text_of(asked, "addr"), net_addr_format(q->family, &q->addr, addr)));
}

/* A socket that was in the way then, and is not in the way of what is asked, is not gone. */
static bool is_still_there(const struct inventory *inv, struct json_object *o)
{
	struct json_object *sockets = json_object_object_get(o, "sockets");
	size_t n = json_object_is_type(sockets, json_type_array) ? json_object_array_length(sockets)
								 : 0;

	for (size_t i = 0; i < n; i++) {
		struct json_object *socket = json_object_array_get_idx(sockets, i);
		uint64_t cookie = strtoull(json_text_of(socket, "cookie"), NULL, 10);

		if (cookie && inventory_by_cookie(inv, cookie))
			return true;
	}
	return false;
}

/* Goes on to an older one where this one was about something else. */
static bool remember(const struct refusal_record *failure, void *user_data)
{
	struct memory *memory = user_data;
	_cleanup_json_ struct json_object *o = json_tokener_parse(failure->explanation);

	if (!json_object_is_type(o, json_type_object) ||
	    memory->f->now - failure->at > REMEMBERED_S)
		return false;
	if (!is_about(memory->f, o))
		return true;
	/* answered by a program: nothing was in the way of the port, and nothing is gone */
	if (failure->error != EADDRINUSE || json_object_object_get(o, "program") ||
	    is_still_there(memory->inv, o))
		return false;
	memory->error = failure->error;
	memory->cookie = strtoull(json_text_of(o, "netnsCookie"), NULL, 10);
	return false;
}

int why_view_after(struct explainer *x, const struct refusal_filter *newest, struct why_facts *f,
		   struct json_object *o)
{
	struct memory memory = { .f = f, .inv = x->inventory };
	int fault = registry_for_each_refusal(x->registry, newest, remember, &memory);

	f->question.error = memory.error;
	f->remembered_netns = memory.cookie;
	return fault ? fault : why_view_netns(x, f, o);
}
