/* SPDX-License-Identifier: MIT */
/* POST /v1/notes: writes into a session, which a stalled one is active again by: pd note. */
#include "api/routes.h"
#include "api/session_request.h"
#include "api/state.h"

struct writing {
	struct session_ref session;
	const char *text;
};

ROUTE(notes_post, POST, "/v1/notes", struct writing, PARAM_SESSION(struct writing, session),
      PARAM_ROW("text", session_text_read, struct writing, text, const char *, .noun = "note",
		.max = NOTE_MAX_BYTES, .missing = ": the note is empty"));

static int handle(struct request *r)
{
	const struct writing *writing = r->params;
	struct session_caller caller;
	struct session_copy s;
	int64_t id = 0;
	bool revived = false;
	int fault;

	fault = session_request_change(r, &writing->session, &caller, &s);
	if (!fault)
		fault = sessions_add_note(r->api->sessions, &caller, &s, writing->text, &id,
					  &revived);
	if (fault)
		return fault;
	if (revived)
		json_add_bool(r->answer, "revived", true);
	json_add_text(r->answer, "session", s.id);
	json_add_text(r->answer, "purpose", s.purpose);
	json_add_int(r->answer, "id", id);
	json_add_int(r->answer, "at", r->now);
	return 0;
}
