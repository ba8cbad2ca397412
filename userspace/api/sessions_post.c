/* SPDX-License-Identifier: MIT */
/* POST /v1/sessions: starts a session on the shell that ran pd: pd session start. */
#include <limits.h>

#include "api/routes.h"
#include "api/session_request.h"
#include "api/state.h"

struct beginning {
	const char *purpose, *agent, *cwd;
};

ROUTE(sessions_post, POST, "/v1/sessions", struct beginning,
      PARAM_ROW("purpose", session_text_read, struct beginning, purpose, const char *,
		.max = SESSION_PURPOSE_MAX_BYTES,
		.missing = "; write one like \"Building checkout UI\""),
      PARAM_TEXT("agent", struct beginning, agent, .max = SESSION_AGENT_MAX_BYTES),
      PARAM_PATH("cwd", struct beginning, cwd, .max = PATH_MAX - 1));

static bool add_other(const struct session *s, void *ids)
{
	json_append(ids, json_text(s->id));
	return true;
}

/* The new session, and other active ones on the same shell: these must be named now. */
static int answer(struct request *r, const struct session *s, const char *id)
{
	request_subject(r, id);
	json_add_text(r->answer, "id", id);
	json_add_text(r->answer, "purpose", s->purpose);
	json_add_text(r->answer, "agent", s->agent);
	json_add_int(r->answer, "startedAt", s->started_at);
	json_add_known(r->answer, "pid", s->process.pid);
	return sessions_for_each_beside(r->api->sessions, r->uid, &s->process, id, add_other,
					json_add_array(r->answer, "others"));
}

static int handle(struct request *r)
{
	const struct beginning *b = r->params;
	struct session s = { .purpose = b->purpose, .agent = b->agent, .cwd = b->cwd };
	char id[SESSION_ID_MAX + 1], refusal[QUOTA_REFUSAL_SIZE];
	struct session_caller caller;
	int fault;

	session_request_caller(r, &caller);
	fault = request_begin_write(r);
	fault = fault ?: sessions_start(r->api->sessions, &caller, &s, id);
	if (fault > 0)
		return request_fail(r, OUTCOME_CONFLICT, "%s",
				    quota_refusal(quota_limit(QUOTA_SESSIONS_ACTIVE),
						  (enum quota_outcome)fault, refusal,
						  sizeof(refusal)));
	return fault ? fault : answer(r, &s, id);
}
