/* SPDX-License-Identifier: MIT */
#include "api/session_request.h"

#include "api/state.h"
#include "base/moment.h"
#include "base/user.h"

void session_request_caller(const struct request *r, struct session_caller *ret)
{
	session_caller_describe(r->uid, r->pid, r->now, ret);
}

int session_text_read(struct request *r, const struct param *p, const struct param_value *value,
		      void *ret)
{
	if (session_text_is_blank(value->text))
		return request_fail(r, OUTCOME_BAD_REQUEST, "\"%s\" is missing%s", p->name,
				    p->missing);
	return param_text(r, p, value, ret);
}

static bool was_given(const char *text)
{
	return text && *text;
}

/* --- more than one fits --- */

static void add_candidates(struct request *r, const struct sessions_found *found)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < found->n && i < SESSIONS_CANDIDATES_MAX; i++) {
		const struct session_copy *s = &found->sessions[i];
		struct json_object *o = json_append_object(list);

		json_add_text(o, "id", s->id);
		json_add_text(o, "purpose", s->purpose);
		json_add_text(o, "status", session_status_name(s->status));
		json_add_text(o, "user", user_name(s->uid));
	}
	request_extra(r, "candidates", list);
}

static int refuse_ambiguous(struct request *r, const struct sessions_found *found, const char *what)
{
	char ids[SESSIONS_CANDIDATES_MAX * (SESSION_ID_MAX + 2)] = "";
	size_t used = 0;

	for (size_t i = 0; i < found->n && i < SESSIONS_CANDIDATES_MAX; i++)
		used += (size_t)snprintf(ids + used, sizeof(ids) - used, "%s%s", i ? ", " : "",
					 found->sessions[i].id);
	add_candidates(r, found);
	return request_fail(r, OUTCOME_CONFLICT, "%s: %s%s; say which with --session", what, ids,
			    found->n > SESSIONS_CANDIDATES_MAX ? " and more" : "");
}

/* --- finding --- */

static int find_named(struct request *r, const char *text, const char *from,
		      struct sessions_found *found)
{
	char what[SESSION_ID_MAX + 96];
	int fault;

	if (!session_ref_is_legal(text))
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "%s\"%.64s\" is no session; write one like session-ab3", from,
				    text);
	fault = sessions_find(r->api->sessions, text, found);
	if (fault)
		return fault;
	if (!found->n)
		return request_fail(r, OUTCOME_NO,
				    "%sthere is no session %s; see: pd sessions --all", from, text);
	snprintf(what, sizeof(what), "%s%s is the beginning of several sessions", from, text);
	return found->n > 1 ? refuse_ambiguous(r, found, what) : 0;
}

static int find_own(struct request *r, const char *cwd, const struct session_caller *caller,
		    struct sessions_found *found)
{
	static const char *const words[] = {
		[BELONGS_BY_TERMINAL] = "several sessions belong to this terminal",
		[BELONGS_BY_DIRECTORY] = "several sessions work in this directory",
		[BELONGS_BY_DIRECTORY_LEFT] = "several stalled sessions worked in this directory",
	};
	int fault = sessions_find_own(r->api->sessions, caller, cwd ? cwd : "", found);

	if (fault)
		return fault;
	if (!found->n)
		return request_fail(
			r, OUTCOME_NO,
			"no session belongs to this shell, terminal or directory; start "
			"one: pd session start PURPOSE, or name one: --session ID");
	if (found->n == 1)
		return 0;
	return refuse_ambiguous(r, found, words[found->nearest.near]);
}

int session_request_find(struct request *r, const struct session_ref *ref,
			 const struct session_caller *caller, struct session_copy *ret)
{
	struct sessions_found found;
	int fault;

	if (was_given(ref->session))
		fault = find_named(r, ref->session, "", &found);
	else if (was_given(ref->environment))
		fault = find_named(r, ref->environment, "$" SESSION_ENVIRONMENT ": ", &found);
	else
		fault = find_own(r, ref->cwd, caller, &found);
	if (fault)
		return fault;
	*ret = found.sessions[0];
	request_subject(r, ret->id);
	return 0;
}

int session_request_change(struct request *r, const struct session_ref *ref,
			   struct session_caller *ret_caller, struct session_copy *ret)
{
	char age[32];
	int fault;

	session_request_caller(r, ret_caller);
	fault = session_request_find(r, ref, ret_caller, ret);
	if (fault)
		return fault;
	if (r->uid != 0 && r->uid != ret->uid)
		return request_fail(r, OUTCOME_NOT_ALLOWED,
				    "%s belongs to user %s: only they may write into it", ret->id,
				    user_name(ret->uid));
	if (ret->status == SESSION_COMPLETED)
		return request_fail(r, OUTCOME_NO,
				    "%s has ended %s ago; start another: pd session start PURPOSE",
				    ret->id, duration_format_ago(r->now - ret->ended_at, age));
	return request_begin_write(r);
}
