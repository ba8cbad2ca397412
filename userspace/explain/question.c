/* SPDX-License-Identifier: MIT */
/* A question about now: where it is asked, and what the asker was refused there a moment ago. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "explain/since.h"

#define REMEMBERED_S 60 /* "a moment ago": long enough to read an error and type a command */
#define LOOKED_BACK  10 /* refusals of the port, for one of the same address */

/* --- where --- */

/* Not said: where the asker is, which may be a container. */
static int find_netns(struct explainer *x, const struct why_asked *asked, struct why_netns *ret)
{
	char asker[16];
	int r;

	if (asked->netns || !asked->asker)
		return why_netns_find(x, asked->netns, ret);
	snprintf(asker, sizeof(asker), "%d", asked->asker);
	r = why_netns_find(x, asker, ret);
	return r || ret->unreachable ? why_netns_find(x, NULL, ret) : r;
}

static int find_where(struct explainer *x, const struct why_asked *asked, struct why_facts *f)
{
	int r = find_netns(x, asked, &f->netns);

	f->netns.of_asker = !asked->netns;
	if (r == -ESRCH)
		return WHY_NO_PROCESS;
	if (r == -ENOENT)
		return WHY_NO_NETNS;
	if (r == -EACCES)
		return WHY_NETNS_SHUT;
	f->question.is_protected = asked->question.is_protected && f->netns.own;
	if (r || !asked->dev)
		return r;
	f->question.dev = why_netns_device(&f->netns, asked->dev);
	return f->question.dev ? 0 : WHY_NO_INTERFACE;
}

/* --- a moment ago --- */

struct memory {
	struct explainer *x;
	struct why_facts *f;
};

/* Who names no address asks about the port as a whole. */
static bool is_about(const struct why_past *past, const struct why_facts *f)
{
	const struct why_question *q = &f->question;
	char addr[NET_ADDR_STR_SIZE];

	return past->netns == f->netns.inode && past->protocol == q->protocol &&
	       (!q->addr_named || !strcmp(past->addr, net_addr_format(q->family, &q->addr, addr)));
}

/* A socket that was in the way then, and is not in the way of what is asked, is not gone. */
static bool is_still_there(const struct why_past *past, const struct inventory *inv)
{
	for (size_t i = 0; i < past->n_sockets; i++)
		if (past->sockets[i] && inventory_by_cookie(inv, past->sockets[i]))
			return true;
	return false;
}

/* Goes on to an older one where this one was about something else. */
static bool remember(const struct refusal_record *record, void *user_data)
{
	const struct memory *memory = user_data;
	struct why_facts *f = memory->f;
	struct why_past past;

	if (f->now - record->at > REMEMBERED_S || !memory->x->read_past(record, &past))
		return false;
	if (!is_about(&past, f))
		return true;
	if (record->error != EADDRINUSE || past.by_program ||
	    is_still_there(&past, memory->x->inventory))
		return false;
	f->question.error = record->error;
	f->remembered_netns = past.netns_cookie;
	return false;
}

static int recall(struct explainer *x, struct why_facts *f)
{
	const struct refusal_filter newest = { .uid = f->viewer ? f->viewer : PROCESS_UID_UNKNOWN,
					       .port = f->question.port,
					       .limit = LOOKED_BACK };
	struct memory memory = { x, f };

	return x->read_past ? registry_for_each_refusal(x->registry, &newest, remember, &memory)
			    : 0;
}

int explain_question(struct explainer *x, const struct why_asked *asked, struct why_facts *f)
{
	int r;

	f->question = asked->question;
	f->caller = asked->asker;
	f->viewer = asked->viewer;
	f->now = asked->now;
	r = find_where(x, asked, f);
	if (!r && asked->remembers)
		r = recall(x, f);
	if (!r)
		r = registry_port_refusals(x->registry, f->question.port, WHY_FAILURES_MAX,
					   f->failures, &f->n_failures);
	return r ? r : explain_port(x, f);
}
