/* SPDX-License-Identifier: MIT */
/* /v1/notes: what somebody wrote into a session. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "api/page.h"
#include "api/routes.h"
#include "api/server.h"
#include "api/sessions.h"
#include "api/view.h"
#include "base/procfs.h"
#include "base/text.h"

#define DETAILS_BYTES 100 /* of the audit trail's entry; the whole note stands in its session */
#define ELLIPSIS      "\xE2\x80\xA6"

/* --- POST --- */

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

/* The first line, cut at a character. */
static void summarize(const char *text, char *ret, size_t size)
{
	char line[DETAILS_BYTES + 1];
	size_t length = strcspn(text, "\n");
	bool cut = length > DETAILS_BYTES;

	snprintf(line, sizeof(line), "%.*s", (int)length, text);
	if (cut)
		while (*line && !text_is_utf8(line, strlen(line)))
			line[strlen(line) - 1] = '\0';
	snprintf(ret, size, "%s%s", line, cut || text[length] ? ELLIPSIS : "");
}

/* Somebody is there again: the session stands on the shell that runs pd now. */
static int revive(struct request *r, const struct session_copy *s)
{
	char tty[PROCFS_TTY_SIZE] = "", details[96];
	struct process_id process;
	struct process peer;
	int fault;

	if (!sessions_peer(r, &peer))
		return 0;
	process = sessions_process_of(&peer);
	if (procfs_tty(&peer.id, tty, sizeof(tty)))
		tty[0] = '\0';
	fault = registry_session_revive(r->api->config.registry, s->id, &process, tty);
	if (fault)
		return fault;
	snprintf(details, sizeof(details), "active again, on %d", process.pid);
	fault = sessions_log(r, ACTIVITY_SESSION, s->id, details);
	json_add_bool(r->answer, "revived", true);
	return fault ? fault : session_watch(r->api->sessions, s->id, s->uid, &process, tty);
}

int sessions_add_note(struct request *r, const char *session, const char *text, int64_t *ret_id)
{
	char details[DETAILS_BYTES + sizeof(ELLIPSIS)];
	struct process peer;
	struct note note = {
		.session = session, .timestamp = r->now, .text = text, .uid = r->uid, .pid = r->pid
	};
	int fault;

	if (sessions_peer(r, &peer))
		note.comm = peer.comm;
	summarize(text, details, sizeof(details));
	fault = registry_note_add(r->api->config.registry, &note, ret_id);
	return fault ? fault : sessions_log(r, ACTIVITY_NOTE, session, details);
}

int notes_post(struct request *r)
{
	struct session_copy s;
	const char *text;
	int64_t id = 0;
	int fault = parse(r, &text);

	if (!fault)
		fault = sessions_to_change(r, &s);
	if (!fault)
		fault = request_begin_write(r);
	/* root writes into another's session and is not the one who works in it */
	if (!fault && s.status == SESSION_STALLED && s.uid == r->uid)
		fault = revive(r, &s);
	if (!fault)
		fault = sessions_add_note(r, s.id, text, &id);
	if (fault)
		return fault;
	json_add_text(r->answer, "session", s.id);
	json_add_text(r->answer, "purpose", s.purpose);
	json_add_int(r->answer, "id", id);
	json_add_int(r->answer, "at", r->now);
	return 0;
}

/* --- GET --- */

struct listing {
	struct request *r;
	struct page page;
	int64_t last_id;
	bool more;
	int fault;
};

static bool list_note(const struct note *note, void *user_data)
{
	struct listing *listing = user_data;
	struct json_object *o;

	listing->more = page_is_full(listing->r, &listing->page);
	if (listing->more)
		return false;
	o = json_object_new_object();
	json_add_int(o, "id", note->id);
	json_add_int(o, "at", note->timestamp);
	json_add(o, "text", json_object_new_string(note->text));
	json_add_text(o, "user", user_name(note->uid));
	json_add_known(o, "pid", note->pid);
	json_add_text(o, "comm", note->comm);
	listing->last_id = note->id;
	listing->fault = written_list_add(listing->r, o);
	return !listing->fault;
}

static bool add_session(const struct session *s, void *user_data)
{
	struct request *r = user_data;

	json_add(r->answer, "session", sessions_view(s, r->uid));
	return false;
}

/* Where the page begins: behind the cursor, else with the newest n, else with the oldest. */
static int find_begin(struct request *r, const struct page *page, const char *session,
		      int64_t *ret_after)
{
	*ret_after = INT64_MIN;
	if (page->after)
		return page_after_number(r, page, ret_after);
	if (page->n)
		return registry_newest_notes(r->api->config.registry, session, page->n, ret_after);
	return 0;
}

int notes_get(struct request *r)
{
	struct registry *registry = r->api->config.registry;
	struct listing listing = { .r = r };
	struct session_copy s;
	char next[24];
	int64_t after;
	int fault = page_parse(r, NOTES_PER_SESSION, &listing.page);

	if (!fault)
		fault = sessions_of_request(r, &s);
	if (!fault)
		fault = find_begin(r, &listing.page, s.id, &after);
	if (!fault)
		fault = registry_session_find(registry, s.id, add_session, r);
	if (!fault)
		fault = written_list_begin(r, "notes");
	if (!fault)
		fault = registry_for_each_note(registry, s.id, after, list_note, &listing);
	if (!fault)
		fault = listing.fault ? listing.fault : written_list_end(r);
	snprintf(next, sizeof(next), "%" PRId64, listing.last_id);
	return fault ? fault : page_end(r, listing.more ? next : NULL);
}
