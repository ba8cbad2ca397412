/* SPDX-License-Identifier: MIT */
/* POST /v1/sessions/end: ends a session, with a last note. */
#include "api/routes.h"
#include "api/session_request.h"
#include "api/state.h"

int sessions_end_post(struct request *r)
{
	struct session_caller caller;
	struct session_copy s;
	const char *note;
	int fault = session_request_text(r, "note", NOTE_MAX_BYTES, &note);

	if (fault)
		return fault;
	session_request_caller(r, &caller);
	fault = session_request_find_to_change(r, &caller, &s);
	if (!fault)
		fault = request_begin_write(r);
	if (!fault)
		fault = sessions_end(r->api->sessions, &caller, &s, note);
	if (fault)
		return fault;
	json_add_text(r->answer, "id", s.id);
	json_add_text(r->answer, "purpose", s.purpose);
	json_add_known(r->answer, "startedAt", s.started_at);
	json_add_int(r->answer, "endedAt", r->now);
	return 0;
}
