/* SPDX-License-Identifier: MIT */
/* Notes, and how much of them is kept: of a session, of a user, and of all. */

#include "base/cleanup.h"
#include "base/quota.h"
#include "base/text.h"
#include "registry/internal.h"
#include "registry/sessions.h"

#define COMM_SIZE 1024 /* of a name that a person typed and that is no text */

static int note_insert(struct registry *r, const struct note *note, int64_t *ret_id)
{
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_NOTE_INSERT);
	char comm[4 * PROCESS_COMM_SIZE];
	int error;

	query_bind_text(&q, 1, note->session);
	query_bind_int(&q, 2, note->timestamp);
	query_bind_text(&q, 3, note->text);
	query_bind_int_or_null(&q, 4, note->uid, PROCESS_UID_UNKNOWN);
	query_bind_int_or_null(&q, 5, note->pid, 0);
	query_bind_text(&q, 6,
			note->comm && *note->comm ? text_to_utf8(note->comm, comm, sizeof(comm))
						  : NULL);
	error = query_run(&q);
	if (error == 0 && ret_id)
		*ret_id = sqlite3_last_insert_rowid(r->db);
	return error;
}

/* What may be kept of a session, of a user, or of all; kind and owner are those of noteSums. */
struct note_bound {
	const char *kind;
	const char *owner; /* NULL: `user` is meant */
	int64_t user;	   /* -1: of notes that a person wrote without one */
	int64_t notes, bytes;
	/* Forgets the oldest note.  How many are gone, negative errno. */
	int (*forget)(struct registry *r, const struct note_bound *bound);
};

/* True in *ret when more is kept, as far as the sums tell. */
static int sum_exceeds(struct registry *r, const struct note_bound *bound, bool *ret)
{
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_NOTE_SUM);
	int more;

	query_bind_text(&q, 1, bound->kind);
	if (bound->owner)
		query_bind_text(&q, 2, bound->owner);
	else
		query_bind_int(&q, 2, bound->user);
	more = query_next(&q);
	if (more < 0)
		return more;
	*ret = more && (query_column_int(&q, 0, 0, INT64_MAX, 0) > bound->notes ||
			query_column_int(&q, 1, 0, INT64_MAX, 0) > bound->bytes);
	return 0;
}

/*
 * A person's INSERT OR REPLACE goes past the triggers that sum up.  So before anything is forgotten
 * the notes are counted, unless nobody else has written since that was done last.
 */
static int sums_check(struct registry *r, bool *ret_renewed)
{
	int64_t version;
	int error = registry_data_version(r, &version);

	*ret_renewed = false;
	if (error < 0 || (r->sums_checked && r->sums_version == version))
		return error;
	error = query_execute(r, STATEMENT_NOTE_SUMS_CLEAR);
	error = error ?: query_execute(r, STATEMENT_NOTE_SUMS_FILL);
	r->sums_checked = error == 0;
	r->sums_version = version;
	*ret_renewed = error == 0;
	return error;
}

static int note_exceeds(struct registry *r, const struct note_bound *bound, bool *ret)
{
	bool renewed = false;
	int error = sum_exceeds(r, bound, ret);

	if (error == 0 && *ret)
		error = sums_check(r, &renewed);
	return error == 0 && renewed ? sum_exceeds(r, bound, ret) : error;
}

static int forget_of_session(struct registry *r, const struct note_bound *bound)
{
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_NOTE_FORGET_OF_SESSION);

	query_bind_text(&q, 1, bound->owner);
	return query_run_counting(&q);
}

static int forget_of_user(struct registry *r, const struct note_bound *bound)
{
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_NOTE_FORGET_OF_USER);

	query_bind_int_or_null(&q, 1, bound->user, -1);
	return query_run_counting(&q);
}

/* Of the user who has most. */
static int forget_of_greatest(struct registry *r, const struct note_bound *bound)
{
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_NOTE_SUM_GREATEST);
	struct note_bound greatest = { .user = -1 };
	int more = query_next(&q);

	if (more <= 0)
		return more;
	greatest.user = query_column_int(&q, 0, -1, PROCESS_UID_UNKNOWN - 1, -1);
	return forget_of_user(r, &greatest);
}

/* One by one: each note that comes pushes out as many bytes as it brings. */
static int keep_within(struct registry *r, const struct note_bound *bound)
{
	bool exceeds = false;
	int error, gone = 1;

	while (!(error = note_exceeds(r, bound, &exceeds)) && exceeds && gone > 0)
		gone = bound->forget(r, bound);
	return error < 0 ? error : gone < 0 ? gone : 0;
}

static int keep_notes_within(struct registry *r, const struct note *note)
{
	const struct quota_limit *limit = quota_limit(QUOTA_NOTE_BYTES);
	const struct note_bound of_session = {
		.kind = "session",
		.owner = note->session,
		.notes = NOTES_PER_SESSION,
		.bytes = NOTES_PER_SESSION_BYTES,
		.forget = forget_of_session,
	};
	const struct note_bound of_user = {
		.kind = "user",
		.user = note->uid == PROCESS_UID_UNKNOWN ? -1 : (int64_t)note->uid,
		.notes = INT64_MAX,
		.bytes = (int64_t)limit->per_user,
		.forget = forget_of_user,
	};
	const struct note_bound of_all = {
		.kind = "all",
		.owner = "",
		.notes = INT64_MAX,
		.bytes = (int64_t)limit->machine,
		.forget = forget_of_greatest,
	};
	int error = keep_within(r, &of_session);

	if (error == 0 && !quota_exempts(note->uid, r->own_uid))
		error = keep_within(r, &of_user);
	return error ? error : keep_within(r, &of_all);
}

int registry_note_add(struct registry *r, const struct note *note, int64_t *ret_id)
{
	int64_t id = 0;
	int error = registry_savepoint_open(r);

	if (error < 0)
		return error;
	error = note_insert(r, note, &id);
	error = error ?: keep_notes_within(r, note);
	error = registry_savepoint_close(r, error);
	if (error == 0 && ret_id)
		*ret_id = id;
	return error;
}

int registry_newest_notes(struct registry *r, const char *session, int64_t n, int64_t *ret_after)
{
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_NOTE_BEFORE_NEWEST);

	query_bind_text(&q, 1, session);
	query_bind_int(&q, 2, n);
	return query_number_or(&q, INT64_MIN, INT64_MAX, INT64_MIN, ret_after);
}

int registry_for_each_note(struct registry *r, const char *session, int64_t after, note_visit visit,
			   void *user_data)
{
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_NOTE_OF_SESSION);
	char text[NOTE_MAX_BYTES], comm[COMM_SIZE];
	int more;

	query_bind_text(&q, 1, session);
	query_bind_int(&q, 2, after);
	while ((more = query_next(&q)) > 0) {
		struct note note = {
			.id = query_column_int(&q, NOTE_COLUMN_ID, INT64_MIN, INT64_MAX, 0),
			.session = session,
			.timestamp = query_column_int(&q, NOTE_COLUMN_TIMESTAMP, 0,
						      REGISTRY_TIME_MAX_S, 0),
			.text = query_column_utf8(&q, NOTE_COLUMN_TEXT, text, sizeof(text)),
			.uid = (uid_t)query_column_int(&q, NOTE_COLUMN_UID, 0, PROCESS_UID_UNKNOWN,
						       PROCESS_UID_UNKNOWN),
			.pid = (pid_t)query_column_int(&q, NOTE_COLUMN_PID, 0, INT32_MAX, 0),
			.comm = query_column_utf8(&q, NOTE_COLUMN_COMM, comm, sizeof(comm)),
		};

		if (!visit(&note, user_data))
			return 0;
	}
	return more;
}
