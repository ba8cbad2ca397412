/* SPDX-License-Identifier: MIT */
/* POST /v1/notes: writes into a session, which a stalled one is active again by. */
#include <string.h>

#include "api/routes.h"
#include "api/session_request.h"
#include "api/state.h"

static int parse(struct request *r, const char **ret)
{
	int fault = request_member_text(r, "text", ret);

	if (fault)
		return fault;
	if (!*ret || session_text_is_blank(*ret))
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "\"text\" is missing: the note is empty");
	if (strlen(*ret) > NOTE_MAX_BYTES)
		return request_fail(r, OUTCOME_TOO_LARGE,
				    "the note is %zu bytes long; at most %d are kept", strlen(*ret),
				    NOTE_MAX_BYTES);
	return 0;
}

int notes_post(struct request *r)
{
	struct session_caller caller;
	struct session_copy s;
	const char *text;
	int64_t id = 0;
	bool revived = false;
	int fault = parse(r, &text);

	if (fault)
		return fault;
	session_request_caller(r, &caller);
	fault = session_request_find_to_change(r, &caller, &s);
	if (!fault)
		fault = request_begin_write(r);
	if (!fault)
		fault = sessions_add_note(r->api->sessions, &caller, &s, text, &id, &revived);
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
