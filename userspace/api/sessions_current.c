/* SPDX-License-Identifier: MIT */
/* Which session a request is about. */
#include <stdlib.h>
#include <string.h>

#include "api/server.h"
#include "api/sessions.h"
#include "api/view.h"
#include "base/moment.h"
#include "base/procfs.h"
#include "reconcile/belongs.h"

struct search {
	struct belongs_asker asker;
	struct belongs_nearest nearest;
	size_t n; /* how many were found; the first SESSIONS_CANDIDATES_MAX are kept */
	struct session_copy found[SESSIONS_CANDIDATES_MAX];
};

/* --- what was said --- */

static int text_of(struct request *r, const char *name, const char **ret)
{
	int fault = 0;

	if (r->route->place == REQUEST_QUERY)
		*ret = request_param(r, name);
	else
		fault = request_member_text(r, name, ret);
	if (!fault && *ret && !**ret)
		*ret = NULL; /* an empty variable is none */
	return fault;
}

/* --- finding --- */

static void copy_text(char *ret, size_t size, const char *text)
{
	snprintf(ret, size, "%s", text);
}

static bool keep(const struct session *s, void *user_data)
{
	struct search *search = user_data;

	if (search->n < SESSIONS_CANDIDATES_MAX) {
		struct session_copy *copy = &search->found[search->n];

		*copy = (struct session_copy){ .status = s->status,
					       .uid = s->uid,
					       .ended_at = s->ended_at,
					       .process = s->process };
		copy_text(copy->id, sizeof(copy->id), s->id);
		copy_text(copy->purpose, sizeof(copy->purpose), s->purpose);
	}
	search->n++;
	return true;
}

static bool keep_nearest(const struct session *s, void *user_data)
{
	struct search *search = user_data;
	const struct belongs_basis basis = { .process = s->same_boot ? s->process
								     : (struct process_id){ 0 },
					     .tty = s->tty,
					     .cwd = s->cwd,
					     .left = s->status != SESSION_ACTIVE };

	if (!belongs_is_nearest(&search->nearest, belongs_nearness(&search->asker, &basis)))
		return true;
	search->n = search->nearest.n - 1;
	return keep(s, search);
}

/* --- answering --- */

static void add_candidates(struct request *r, const struct search *search)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < search->n && i < SESSIONS_CANDIDATES_MAX; i++) {
		struct json_object *o = json_object_new_object();

		json_add_text(o, "id", search->found[i].id);
		json_add_text(o, "purpose", search->found[i].purpose);
		json_add_text(o, "status", session_status_name(search->found[i].status));
		json_add_text(o, "user", user_name(search->found[i].uid));
		json_append(list, o);
	}
	request_extra(r, "candidates", list);
}

static int ambiguous(struct request *r, const struct search *search, const char *what)
{
	char ids[SESSIONS_CANDIDATES_MAX * (SESSION_ID_MAX + 2)] = "";
	size_t used = 0;

	for (size_t i = 0; i < search->n && i < SESSIONS_CANDIDATES_MAX; i++)
		used += (size_t)snprintf(ids + used, sizeof(ids) - used, "%s%s", i ? ", " : "",
					 search->found[i].id);
	add_candidates(r, search);
	return request_fail(r, OUTCOME_CONFLICT, "%s: %s%s; say which with --session", what, ids,
			    search->n > SESSIONS_CANDIDATES_MAX ? " and more" : "");
}

static int find_named(struct request *r, const char *text, bool environment,
		      struct session_copy *ret)
{
	const char *from = environment ? "$" SESSION_ENVIRONMENT ": " : "";
	struct search search = { 0 };
	char what[SESSION_ID_MAX + 96];
	int fault;

	if (!session_ref_is_legal(text))
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "%s\"%.64s\" is no session; write one like session-ab3", from,
				    text);
	fault = registry_session_find(r->api->config.registry, text, keep, &search);
	if (fault)
		return fault;
	if (!search.n)
		return request_fail(r, OUTCOME_NO,
				    "%sthere is no session %s; see: pd sessions --all", from, text);
	snprintf(what, sizeof(what), "%s%s is the beginning of several sessions", from, text);
	if (search.n > 1)
		return ambiguous(r, &search, what);
	*ret = search.found[0];
	return 0;
}

static int find_own(struct request *r, struct session_copy *ret)
{
	static const char *const words[] = {
		[BELONGS_BY_TERMINAL] = "several sessions belong to this terminal",
		[BELONGS_BY_DIRECTORY] = "several sessions work in this directory",
		[BELONGS_BY_DIRECTORY_LEFT] = "several stalled sessions worked in this directory",
	};
	const struct session_filter mine = { .uid = r->uid, .open = true };
	struct search search = { .nearest.near = BELONGS_NOT };
	struct process peer = { 0 };
	char tty[PROCFS_TTY_SIZE] = "";
	const char *cwd;
	int fault = text_of(r, "cwd", &cwd);

	if (fault)
		return fault;
	/* -ESRCH: the caller has left, and its terminal does not matter any more */
	if (sessions_peer(r, &peer) && procfs_tty(&peer.id, tty, sizeof(tty)))
		tty[0] = '\0';
	search.asker = (struct belongs_asker){ &peer, tty, cwd ? cwd : "" };
	fault = registry_for_each_session(r->api->config.registry, &mine, keep_nearest, &search);
	if (fault)
		return fault;
	if (!search.n)
		return request_fail(
			r, OUTCOME_NO,
			"no session belongs to this shell, terminal or directory; start "
			"one: pd session start PURPOSE, or name one: --session ID");
	if (search.n > 1)
		return ambiguous(r, &search,
				 search.nearest.near < BELONGS_BY_SID
					 ? "several sessions stand on this shell"
					 : words[search.nearest.near]);
	*ret = search.found[0];
	return 0;
}

int sessions_of_request(struct request *r, struct session_copy *ret)
{
	const char *named, *environment;
	int fault = text_of(r, "session", &named);

	if (!fault)
		fault = text_of(r, "environment", &environment);
	if (fault)
		return fault;
	if (named)
		fault = find_named(r, named, false, ret);
	else if (environment)
		fault = find_named(r, environment, true, ret);
	else
		fault = find_own(r, ret);
	if (!fault)
		request_subject(r, ret->id);
	return fault;
}

int sessions_to_change(struct request *r, struct session_copy *ret)
{
	char age[32];
	int fault = sessions_of_request(r, ret);

	if (fault)
		return fault;
	if (r->uid != 0 && r->uid != ret->uid)
		return request_fail(r, OUTCOME_NOT_ALLOWED,
				    "%s belongs to user %s: only they may write into it", ret->id,
				    user_name(ret->uid));
	if (ret->status == SESSION_COMPLETED)
		return request_fail(r, OUTCOME_NO,
				    "%s has ended %s ago; start another: pd session start PURPOSE",
				    ret->id, duration_format_short(r->now - ret->ended_at, age));
	return 0;
}
