/* SPDX-License-Identifier: MIT */
#include "registry/sessions.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/cleanup.h"
#include "base/procfs.h"
#include "registry/internal.h"

#define ID_TRIES                                                                        \
	16 /* of one length: with 22,000 ids and 1,500 rows one in 10^18 fails them all \
	    */
#define ID_CHARS_MAX 8
/* What is handed out of a field that holds bytes which are no text. */
#define REPAIRED_SIZE 1024

static const char *const status_names[] = {
	[SESSION_ACTIVE] = "active",
	[SESSION_STALLED] = "stalled",
	[SESSION_COMPLETED] = "completed",
};
_Static_assert(ARRAY_SIZE(status_names) == _SESSION_STATUS_MAX, "every status has a name");

const char *session_status_name(enum session_status s)
{
	return (unsigned)s < _SESSION_STATUS_MAX ? status_names[s] : "unknown";
}

/* --- writing --- */

/* NULL instead of "": what people expect of `IS NULL`. */
static void bind_text_or_null(struct query *q, int index, const char *text)
{
	query_bind_text(q, index, text && *text ? text : NULL);
}

/* No i, l, o, 0 and 1: ids are read from screens.  A letter first: never taken for a number. */
static int id_random(char *ret, unsigned chars)
{
	static const char alphabet[] = "abcdefghjkmnpqrstuvwxyz23456789";
	const unsigned letters = 23, all = sizeof(alphabet) - 1;
	uint8_t bytes[ID_CHARS_MAX];
	size_t used = strlen(SESSION_ID_PREFIX);

	if (getrandom(bytes, chars, 0) != (ssize_t)chars)
		return -EIO;
	strcpy(ret, SESSION_ID_PREFIX);
	/* slightly uneven, which a name may be */
	for (unsigned i = 0; i < chars; i++)
		ret[used++] = alphabet[bytes[i] % (i ? all : letters)];
	ret[used] = '\0';
	return 0;
}

/* 1 when the row is in, 0 when the id is another's. */
static int insert(struct registry *r, const struct session *s, const char *id)
{
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_SESSION_INSERT);
	int error;

	query_bind_text(&q, 1, id);
	query_bind_text(&q, 2, s->purpose);
	query_bind_int(&q, 3, s->started_at);
	bind_text_or_null(&q, 4, s->agent);
	query_bind_int(&q, 5, s->uid);
	bind_text_or_null(&q, 6, s->cwd);
	bind_text_or_null(&q, 7, s->tty);
	query_bind_int_or_null(&q, 8, s->process.pid, 0);
	query_bind_int_or_null(&q, 9, (int64_t)s->process.start_ticks, 0);
	query_bind_text(&q, 10, procfs_boot_id());
	error = query_run(&q);
	return error < 0 ? error : sqlite3_changes(r->db) > 0;
}

static int insert_under_new_id(struct registry *r, const struct session *s, char *ret_id)
{
	for (unsigned chars = SESSION_ID_CHARS; chars <= ID_CHARS_MAX; chars++)
		for (unsigned i = 0; i < ID_TRIES; i++) {
			int done = id_random(ret_id, chars);

			if (done == 0)
				done = insert(r, s, ret_id);
			if (done)
				return done < 0 ? done : 0;
		}
	return -EEXIST;
}

/* How many active ones the user has, and all together. */
static int count_active(struct registry *r, uid_t uid, int64_t *ret_of_user, int64_t *ret_all)
{
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_SESSIONS_COUNT_ACTIVE);
	int error;

	query_bind_int(&q, 1, uid);
	error = query_row(&q);
	if (error < 0)
		return error;
	*ret_of_user = query_column_int(&q, 0, 0, INT64_MAX, 0);
	*ret_all = query_column_int(&q, 1, 0, INT64_MAX, 0);
	return 0;
}

int registry_session_start(struct registry *r, const struct session *session,
			   char ret_id[static SESSION_ID_MAX + 1])
{
	bool exempt = quota_exempts(session->uid, r->own_uid);
	int64_t of_user = 0, all = 0;
	int error = registry_write_check(r);

	error = error ?: count_active(r, session->uid, &of_user, &all);
	if (error == 0)
		error = quota_judge(QUOTA_SESSIONS_ACTIVE, exempt, (uint64_t)of_user, (uint64_t)all,
				    1);
	return error ? error : insert_under_new_id(r, session, ret_id);
}

static int set_over(struct registry *r, enum statement which, const char *id, int64_t now)
{
	int error = registry_write_check(r);

	if (error < 0)
		return error;
	_cleanup_(query_done) struct query q = query_start(r, which);
	query_bind_text(&q, 1, id);
	query_bind_int(&q, 2, now);
	return query_run_on_one(&q);
}

int registry_session_end(struct registry *r, const char *id, int64_t now)
{
	return set_over(r, STATEMENT_SESSION_END, id, now);
}

static int give_up_stalled(struct registry *r, int64_t now)
{
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_SESSIONS_GIVE_UP);

	query_bind_int(&q, 1, now - SESSIONS_STALLED_KEEP_S);
	query_bind_int(&q, 2, SESSIONS_STALLED_KEEP_NEWEST);
	return query_run(&q);
}

int registry_session_stall(struct registry *r, const char *id, int64_t now)
{
	int error = set_over(r, STATEMENT_SESSION_STALL, id, now);
	int given_up = error ? 0 : give_up_stalled(r, now);

	return given_up < 0 ? given_up : error;
}

int registry_session_revive(struct registry *r, const char *id, const struct process_id *process,
			    const char *tty)
{
	int error = registry_write_check(r);

	if (error < 0)
		return error;
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_SESSION_REVIVE);
	query_bind_text(&q, 1, id);
	query_bind_int_or_null(&q, 2, process->pid, 0);
	query_bind_int_or_null(&q, 3, (int64_t)process->start_ticks, 0);
	query_bind_text(&q, 4, procfs_boot_id());
	bind_text_or_null(&q, 5, tty);
	return query_run_on_one(&q);
}

/* --- reading --- */

struct session_row {
	struct session session;
	char purpose[REPAIRED_SIZE], agent[REPAIRED_SIZE], cwd[REPAIRED_SIZE], tty[REPAIRED_SIZE];
	char note[NOTE_MAX_BYTES];
};

static void decode_process(const struct query *q, struct session *s)
{
	const char *boot_id = query_column_text(q, SESSION_COLUMN_BOOT_ID);

	s->process.pid = (pid_t)query_column_int(q, SESSION_COLUMN_PID, 1, INT32_MAX, 0);
	s->process.start_ticks = (uint64_t)query_column_int(q, SESSION_COLUMN_START_TICKS, 0,
							    INT64_MAX, 0);
	s->same_boot = boot_id && strcmp(boot_id, procfs_boot_id()) == 0;
}

static int64_t column_time(const struct query *q, int column)
{
	return query_column_int(q, column, 0, REGISTRY_TIME_MAX_S, 0);
}

/* False when no legal id is in it: the row is to be skipped. */
static bool session_decode(const struct query *q, struct session_row *ret)
{
	const char *id = query_column_text(q, SESSION_COLUMN_ID);
	struct session *s = &ret->session;

	if (!id || !session_ref_is_legal(id))
		return false;
	*s = (struct session){
		.id = id,
		.purpose = query_column_utf8(q, SESSION_COLUMN_PURPOSE, ret->purpose,
					     REPAIRED_SIZE),
		.agent = query_column_utf8(q, SESSION_COLUMN_AGENT, ret->agent, REPAIRED_SIZE),
		.started_at = column_time(q, SESSION_COLUMN_STARTED_AT),
		.ended_at = column_time(q, SESSION_COLUMN_ENDED_AT),
		.stalled_at = column_time(q, SESSION_COLUMN_STALLED_AT),
		.status = (enum session_status)query_column_int(q, SESSION_COLUMN_STATE, 0,
								_SESSION_STATUS_MAX - 1, 0),
		.uid = (uid_t)query_column_int(q, SESSION_COLUMN_UID, 0, PROCESS_UID_UNKNOWN - 1,
					       q->registry->owner),
		.cwd = query_column_utf8(q, SESSION_COLUMN_CWD, ret->cwd, REPAIRED_SIZE),
		.tty = query_column_utf8(q, SESSION_COLUMN_TTY, ret->tty, REPAIRED_SIZE),
		.last_note = query_column_utf8(q, SESSION_COLUMN_LAST_NOTE, ret->note,
					       sizeof(ret->note)),
		.last_note_at = column_time(q, SESSION_COLUMN_LAST_NOTE_AT),
		.n_notes = query_column_int(q, SESSION_COLUMN_NOTES, 0, INT64_MAX, 0),
		.place = query_column_int(q, SESSION_COLUMN_PLACE, 0, INT64_MAX, 0),
	};
	decode_process(q, s);
	return true;
}

struct visiting {
	uid_t uid;     /* PROCESS_UID_UNKNOWN = of everybody */
	int64_t limit; /* 0 = all */
	session_visit visit;
	void *user_data;
	int64_t visited;
	bool stopped;
};

/* Visits what the query gives.  0, negative errno. */
static int visit_all(struct query *q, struct visiting *v)
{
	struct session_row row;
	int more = 0;

	while (!v->stopped && (v->limit <= 0 || v->visited < v->limit) &&
	       (more = query_next(q)) > 0) {
		if (!session_decode(q, &row))
			continue;
		if (v->uid != PROCESS_UID_UNKNOWN && v->uid != row.session.uid)
			continue;
		v->visited++;
		v->stopped = !v->visit(&row.session, v->user_data);
	}
	return more < 0 ? more : 0;
}

static int visit_named(struct registry *r, enum statement which, const char *prefix,
		       const char *text, struct visiting *v)
{
	_cleanup_(query_done) struct query q = query_start(r, which);
	char id[sizeof(SESSION_ID_PREFIX) + SESSION_ID_MAX];

	snprintf(id, sizeof(id), "%s%s", prefix, text);
	query_bind_text(&q, 1, id);
	return visit_all(&q, v);
}

int registry_session_find(struct registry *r, const char *text, session_visit visit,
			  void *user_data)
{
	static const struct {
		enum statement which;
		const char *prefix;
	} ways[] = {
		{ STATEMENT_SESSION_BY_ID, "" },
		{ STATEMENT_SESSION_BY_ID, SESSION_ID_PREFIX },
		{ STATEMENT_SESSION_BY_PREFIX, SESSION_ID_PREFIX },
		{ STATEMENT_SESSION_BY_PREFIX, "" },
	};
	struct visiting v = { PROCESS_UID_UNKNOWN, 0, visit, user_data };
	int error = 0;

	if (!session_ref_is_legal(text))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(ways) && !error && !v.visited; i++)
		error = visit_named(r, ways[i].which, ways[i].prefix, text, &v);
	return error;
}

static int visit_status(struct registry *r, enum statement which, struct visiting *v)
{
	_cleanup_(query_done) struct query q = query_start(r, which);

	return visit_all(&q, v);
}

int registry_for_each_session(struct registry *r, const struct session_filter *filter,
			      session_visit visit, void *user_data)
{
	struct visiting v = { filter->uid, 0, visit, user_data };
	int error = visit_status(r, STATEMENT_SESSION_OPEN, &v);

	if (error || v.stopped || filter->open)
		return error;
	v.visited = 0;
	v.limit = filter->limit;
	return visit_status(r, STATEMENT_SESSION_COMPLETED, &v);
}

int registry_count_sessions(struct registry *r, int64_t ret_counts[_SESSION_STATUS_MAX])
{
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_SESSIONS_COUNT);
	int64_t counts[_SESSION_STATUS_MAX] = { 0 };
	int more;

	while ((more = query_next(&q)) > 0)
		counts[query_column_int(&q, 0, 0, _SESSION_STATUS_MAX - 1, 0)] =
			query_column_int(&q, 1, 0, INT64_MAX, 0);
	if (more < 0)
		return more;
	memcpy(ret_counts, counts, sizeof(counts));
	return 0;
}

/* --- retention --- */

int registry_sessions_prune(struct registry *r, int64_t now, int max_rows)
{
	int error = give_up_stalled(r, now);

	if (error == 0)
		error = query_execute(r, STATEMENT_SESSIONS_PRUNE_OLD, SESSIONS_KEEP_NEWEST,
				      now - SESSIONS_KEEP_S, max_rows);
	if (error == 0)
		error = query_execute(r, STATEMENT_SESSIONS_FORGET,
				      (int64_t)quota_limit(QUOTA_SESSIONS_KEPT)->machine, max_rows);
	return error < 0 ? error : query_execute(r, STATEMENT_NOTES_PRUNE_LEFT, max_rows);
}

void session_place(const struct session *s, char ret[SESSION_PLACE_SIZE])
{
	bool over = s->status == SESSION_COMPLETED;
	int64_t since = s->ended_at ? s->ended_at : s->stalled_at ? s->stalled_at : s->started_at;

	snprintf(ret, SESSION_PLACE_SIZE, "%d.%020" PRId64 ".%020" PRId64 ".%s", over,
		 over ? INT64_MAX - since : 0, over ? INT64_MAX - s->started_at : s->started_at,
		 s->id);
}
