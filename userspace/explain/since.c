/* SPDX-License-Identifier: MIT */
#include "explain/since.h"

#include <stdio.h>

#include "base/procfs.h"
#include "explain/environment.h"
#include "explain/remedies.h"

const char *why_since_name(enum why_since since)
{
	static const char *const names[] = {
		[WHY_SINCE_HELD] = "held",
		[WHY_SINCE_MOVED] = "moved",
		[WHY_SINCE_FREE] = "free",
	};

	return names[since];
}

/* A number of a namespace is given to another one when that has ended; its cookie is not. */
static bool is_its_netns(const struct why_past *past, const struct why_netns *netns)
{
	return netns->inode == past->netns && !netns->unreachable;
}

static bool enter_by(struct explainer *x, const struct why_past *past, const struct process_id *id,
		     struct why_netns *ret)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", id->pid);
	return id->pid && procfs_alive(id) && why_netns_find(x, pid, ret) == 0 &&
	       is_its_netns(past, ret);
}

/* The own one, or another one by whoever was in it then and still runs, or is in it now. */
static bool find_netns(struct explainer *x, const struct why_past *past, struct why_netns *ret)
{
	struct process_id somebody = { 0 };

	if (why_netns_find(x, NULL, ret) == 0 && is_its_netns(past, ret))
		return true;
	for (size_t i = 0; i < past->n_holders; i++)
		if (enter_by(x, past, &past->holders[i], ret))
			return true;
	if (enter_by(x, past, &past->caller, ret))
		return true;
	somebody.pid = why_netns_inhabitant(x, past->netns, &past->caller);
	return procfs_identity(somebody.pid, &somebody) == 0 && enter_by(x, past, &somebody, ret);
}

static bool was_holder(const struct why_past *past, const struct process_id *id)
{
	for (size_t i = 0; i < past->n_holders; i++)
		if (process_id_equal(&past->holders[i], id))
			return true;
	return false;
}

/* The caller's own socket is bound by now where its listen() was refused: that was not in the way.
 */
static void leave_out_caller(const struct why_past *past, struct why_facts *f)
{
	size_t kept = 0;

	for (size_t i = 0; i < f->n_holders; i++) {
		struct why_holder h = f->holders[i];

		if (process_id_equal(&h.process.id, &past->caller) &&
		    !was_holder(past, &past->caller))
			why_holder_deinit(&h);
		else
			f->holders[kept++] = h;
	}
	f->n_holders = kept;
}

/* The same socket is in the way, and so whoever has it open by now: a search that was left out
 * then, for the time that it takes, is made up. */
static bool has_same_socket(const struct why_past *past, const struct why_facts *f)
{
	for (size_t i = 0; i < f->n_shown; i++)
		for (size_t k = 0; k < past->n_sockets; k++)
			if (past->sockets[k] && past->sockets[k] == why_row(f, f->shown[i])->cookie)
				return true;
	return false;
}

static enum why_since compare(const struct why_past *past, const struct why_facts *f,
			      const struct why_holder **ret_by)
{
	bool other_netns = past->netns_cookie && f->netns.settings.cookie &&
			   past->netns_cookie != f->netns.settings.cookie;

	*ret_by = NULL;
	if (other_netns || f->answer.verdict == WHY_UNKNOWN)
		return WHY_SINCE_UNKNOWN;
	if (f->answer.free)
		return WHY_SINCE_FREE;
	for (size_t i = 0; i < f->n_holders; i++)
		if (was_holder(past, &f->holders[i].process.id)) {
			*ret_by = &f->holders[i];
			return WHY_SINCE_HELD;
		}
	*ret_by = f->n_holders ? &f->holders[0] : NULL;
	if (!past->n_holders && has_same_socket(past, f))
		return WHY_SINCE_HELD;
	return f->n_holders || past->n_holders ? WHY_SINCE_MOVED : WHY_SINCE_HELD;
}

int explain_since(struct explainer *x, const struct why_past *past, struct why_facts *f,
		  enum why_since *ret, const struct why_holder **ret_by)
{
	int r;

	*ret = WHY_SINCE_UNKNOWN;
	*ret_by = NULL;
	if (!find_netns(x, past, &f->netns))
		return 0;
	r = explain_port(x, f);
	if (r)
		return r;
	leave_out_caller(past, f);
	*ret = compare(past, f, ret_by);
	if (*ret == WHY_SINCE_MOVED || *ret == WHY_SINCE_UNKNOWN)
		return 0;
	f->answer.verdict = past->verdict;
	if (*ret == WHY_SINCE_HELD)
		why_list_remedies(f);
	else
		why_list_remedies_when_free(f);
	return 0;
}

void why_say_since(enum why_since since, const struct why_holder *by,
		   char ret[static WHY_SINCE_SIZE])
{
	char who[64] = "somebody else";

	ret[0] = '\0';
	if (by)
		snprintf(who, sizeof(who), "%s (pid %d)",
			 *by->process.comm ? by->process.comm : "a process", by->process.id.pid);
	if (since == WHY_SINCE_FREE)
		snprintf(ret, WHY_SINCE_SIZE, " That is gone, and the port is free now.");
	else if (since == WHY_SINCE_MOVED)
		snprintf(ret, WHY_SINCE_SIZE, " That is gone, and %s has the port now.", who);
	else if (since == WHY_SINCE_HELD && by)
		snprintf(ret, WHY_SINCE_SIZE, " It still is: %s has not let go.", who);
	else if (since == WHY_SINCE_HELD)
		snprintf(ret, WHY_SINCE_SIZE, " It still is.");
}
