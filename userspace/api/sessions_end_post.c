/* SPDX-License-Identifier: MIT */
/* POST /v1/sessions/end: ends a session, with a last note: pd session end. */
#include "api/routes.h"
#include "api/session_request.h"
#include "api/state.h"

struct ending {
	struct session_ref session;
	const char *note; /* NULL = none */
};

ROUTE(sessions_end_post, POST, "/v1/sessions/end", struct ending,
      PARAM_SESSION(struct ending, session),
      PARAM_TEXT("note", struct ending, note, .max = NOTE_MAX_BYTES));

static int handle(struct request *r)
{
	const struct ending *ending = r->params;
	struct session_caller caller;
	struct session_copy s;
	int fault;

	fault = session_request_change(r, &ending->session, &caller, &s);
	fault = fault ?: sessions_end(r->api->sessions, &caller, &s, ending->note);
	if (fault)
		return fault;
	json_add_text(r->answer, "id", s.id);
	json_add_text(r->answer, "purpose", s.purpose);
	json_add_known(r->answer, "startedAt", s.started_at);
	json_add_int(r->answer, "endedAt", r->now);
	return 0;
}
