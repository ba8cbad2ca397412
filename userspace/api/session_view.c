/* SPDX-License-Identifier: MIT */
#include "api/session_view.h"

#include "base/user.h"
#include "http/json.h"

static int64_t status_since(const struct session *s)
{
	if (s->status == SESSION_COMPLETED && s->ended_at)
		return s->ended_at;
	return s->status == SESSION_STALLED && s->stalled_at ? s->stalled_at : s->started_at;
}

struct json_object *session_view(const struct session *s, uid_t viewer)
{
	struct json_object *o = json_object_new_object(), *note;

	json_add_text(o, "id", s->id);
	json_add_text(o, "purpose", s->purpose);
	json_add_text(o, "status", session_status_name(s->status));
	json_add_known(o, "since", status_since(s));
	json_add_text(o, "agent", s->agent);
	json_add_known(o, "startedAt", s->started_at);
	json_add_known(o, "endedAt", s->ended_at);
	json_add_known(o, "stalledAt", s->stalled_at);
	json_add_text(o, "user", user_name(s->uid));
	json_add_text(o, "cwd", user_may_see(viewer, s->uid) ? s->cwd : NULL);
	json_add_text(o, "tty", s->tty);
	json_add_known(o, "pid", s->process.pid);
	json_add_int(o, "notes", s->n_notes);
	note = json_add_object_if(o, "lastNote", s->n_notes);
	if (!note)
		return o;
	json_add_int(note, "at", s->last_note_at);
	json_add(note, "text", json_object_new_string(s->last_note));
	return o;
}
