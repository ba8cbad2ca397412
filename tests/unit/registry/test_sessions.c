/* SPDX-License-Identifier: MIT */
#include "unit/registry/fixture.h"

#include "base/outcome.h"
#include "base/procfs.h"
#include "base/quota.h"
#include "registry/sessions.h"

#define ANN 1000
#define BEN 1001

#define SESSIONS_KEPT ((int)quota_limit(QUOTA_SESSIONS_KEPT)->machine)

static struct session session_of(const char *purpose)
{
	return (struct session){ .purpose = purpose,
				 .agent = "",
				 .started_at = FIXTURE_NOW,
				 .uid = ANN,
				 .cwd = "/home/ann/shop",
				 .tty = "pts/3",
				 .process = { .pid = 78, .start_ticks = 7900 } };
}

static void start(struct fixture *f, const struct session *s, char *ret_id)
{
	assert_in_batch(f, registry_session_start(f->registry, s, ret_id), 0);
}

/* One whose members do not matter. */
static void start_one(struct fixture *f, char *ret_id)
{
	const struct session s = session_of("p");

	start(f, &s, ret_id);
}

static void add_note(struct fixture *f, const char *session, const char *text, int64_t at)
{
	const struct note note = { .session = session,
				   .text = text,
				   .timestamp = at,
				   .uid = ANN,
				   .pid = 5,
				   .comm = "pd" };

	assert_in_batch(f, registry_note_add(f->registry, &note, NULL), 0);
}

/* The ids (or texts) that were visited, each followed by a blank. */
struct seen {
	char text[8192];
	struct session last;
	char tty[64], note[64], purpose[512];
	size_t n;
};

static bool see(const struct session *s, void *user_data)
{
	struct seen *seen = user_data;
	size_t used = strlen(seen->text);

	snprintf(seen->text + used, sizeof(seen->text) - used, "%s ", s->id);
	seen->last = *s;
	snprintf(seen->tty, sizeof(seen->tty), "%s", s->tty);
	snprintf(seen->note, sizeof(seen->note), "%s", s->last_note);
	snprintf(seen->purpose, sizeof(seen->purpose), "%s", s->purpose);
	seen->n++;
	return true;
}

static struct seen find(struct fixture *f, const char *text)
{
	struct seen seen = { 0 };

	assert_int_equal(registry_session_find(f->registry, text, see, &seen), 0);
	return seen;
}

static struct seen list(struct fixture *f, const struct session_filter *filter)
{
	struct seen seen = { 0 };

	assert_int_equal(registry_for_each_session(f->registry, filter, see, &seen), 0);
	return seen;
}

static const struct session_filter everything = { .uid = PROCESS_UID_UNKNOWN };

TEST_WITH(a_session_comes_back_as_it_was_started, struct fixture *f)
{
	struct session s = session_of("Building checkout UI");
	char id[SESSION_ID_MAX + 1];
	struct seen seen;

	s.agent = "Agent 1";
	start(f, &s, id);
	fixture_reopen(f);
	seen = find(f, id);
	assert_int_equal(seen.n, 1);
	assert_string_equal(seen.purpose, "Building checkout UI");
	assert_string_equal(seen.tty, "pts/3");
	assert_int_equal(seen.last.status, SESSION_ACTIVE);
	assert_int_equal(seen.last.started_at, FIXTURE_NOW);
	assert_int_equal(seen.last.uid, ANN);
	assert_int_equal(seen.last.process.pid, 78);
	assert_int_equal(seen.last.process.start_ticks, 7900);
	assert_true(seen.last.same_boot);
}

TEST_WITH(ids_are_short_legal_and_differ, struct fixture *f)
{
	char id[SESSION_ID_MAX + 1];

	for (int i = 0; i < 100; i++) {
		start_one(f, id);
		assert_memory_equal(id, SESSION_ID_PREFIX, strlen(SESSION_ID_PREFIX));
		assert_int_equal(strlen(id), strlen(SESSION_ID_PREFIX) + SESSION_ID_CHARS);
		assert_true(id[8] >= 'a' && id[8] <= 'z');
	}
	fixture_expect(f, "SELECT count(DISTINCT id) FROM sessions", "100");
}

TEST_WITH(the_contracts_columns_hold_what_people_expect, struct fixture *f)
{
	const struct session s = session_of("Building checkout UI");
	char id[SESSION_ID_MAX + 1];

	start(f, &s, id);
	fixture_expect(f,
		       "SELECT purpose || '|' || startedAt || '|' || (endedAt IS NULL) || '|' "
		       "|| status FROM sessions",
		       "Building checkout UI|1700000000|1|active");
	assert_in_batch(f, registry_session_end(f->registry, id, 1700000100), 0);
	fixture_expect(f, "SELECT endedAt || status FROM sessions", "1700000100completed");
}

TEST_WITH(any_beginning_of_an_id_finds_it, struct fixture *f)
{
	fixture_shell(f, "INSERT INTO sessions(id) VALUES('session-ab3'), ('session-ab4x'), "
			 "('session-ab4'), ('session-cd7'), ('mine')");
	assert_string_equal(find(f, "session-ab3").text, "session-ab3 ");
	assert_string_equal(find(f, "ab3").text, "session-ab3 ");
	assert_string_equal(find(f, "c").text, "session-cd7 ");
	assert_string_equal(find(f, "session-c").text, "session-cd7 ");
	assert_string_equal(find(f, "m").text, "mine ");
	/* the whole id wins over the one that it begins */
	assert_string_equal(find(f, "ab4").text, "session-ab4 ");
	assert_string_equal(find(f, "ab").text, "session-ab3 session-ab4 session-ab4x ");
	assert_string_equal(find(f, "").text, "");
	assert_string_equal(find(f, "zz").text, "");
	assert_string_equal(find(f, "%").text, "");
}

TEST_WITH(a_stalled_session_is_revived_on_another_process, struct fixture *f)
{
	const struct process_id other = { .pid = 99, .start_ticks = 1234 };
	char id[SESSION_ID_MAX + 1];
	struct seen seen;

	start_one(f, id);
	assert_in_batch(f, registry_session_stall(f->registry, id, FIXTURE_NOW + 5), 0);
	seen = find(f, id);
	assert_int_equal(seen.last.status, SESSION_STALLED);
	assert_int_equal(seen.last.stalled_at, FIXTURE_NOW + 5);
	assert_in_batch(f, registry_session_revive(f->registry, id, &other, "pts/9"), 0);
	seen = find(f, id);
	assert_int_equal(seen.last.status, SESSION_ACTIVE);
	assert_int_equal(seen.last.stalled_at, 0);
	assert_int_equal(seen.last.process.pid, 99);
	assert_string_equal(seen.tty, "pts/9");
}

TEST_WITH(what_is_not_there_cannot_be_changed, struct fixture *f)
{
	fixture_begin(f);
	assert_int_equal(registry_session_end(f->registry, "session-zzz", 1), OUTCOME_NO);
	assert_int_equal(registry_session_stall(f->registry, "session-zzz", 1), OUTCOME_NO);
	fixture_commit(f);
	assert_int_equal(registry_session_end(f->registry, "session-zzz", 1), -EINVAL);
}

TEST_WITH(open_ones_come_first_and_the_newest_completed_next, struct fixture *f)
{
	struct session_filter filter = everything;

	fixture_shell(
		f, "INSERT INTO sessions(id, startedAt, endedAt, status, uid) VALUES"
		   "('done-old', 1, 10, 'completed', 1000), ('done-new', 1, 20, 'completed', 1001),"
		   "('young', 9, NULL, 'active', 1000), ('stuck', 2, NULL, 'stalled', 1000)");
	assert_string_equal(list(f, &filter).text, "stuck young done-new done-old ");
	filter.limit = 1;
	assert_string_equal(list(f, &filter).text, "stuck young done-new ");
	filter.uid = ANN;
	assert_string_equal(list(f, &filter).text, "stuck young done-old ");
	filter.open = true;
	assert_string_equal(list(f, &filter).text, "stuck young ");
}

TEST_WITH(rows_that_people_typed_are_read_or_skipped, struct fixture *f)
{
	int64_t counts[_SESSION_STATUS_MAX];

	fixture_shell(f,
		      "INSERT INTO sessions(id, purpose, startedAt, endedAt, status) VALUES"
		      "('a', NULL, 'x', NULL, NULL), ('b b', 'p', 1, NULL, 'active'),"
		      "(NULL, 'p', 1, NULL, 'active'), ('c', x'ff', 1, 7, 'active'),"
		      "('d', 'p', 99999999999999, NULL, 'odd'), ('e', 'p', 1, NULL, 'completed')");
	assert_string_equal(list(f, &everything).text, "d a c e ");
	assert_int_equal(find(f, "a").last.uid, geteuid());
	assert_int_equal(find(f, "c").last.status, SESSION_COMPLETED);
	assert_string_equal(find(f, "c").purpose, "\xef\xbf\xbd");
	assert_int_equal(registry_count_sessions(f->registry, counts), 0);
	assert_int_equal(counts[SESSION_COMPLETED], 2);
	assert_int_equal(counts[SESSION_STALLED], 0);
}

TEST_WITH(a_user_may_not_have_endless_active_sessions, struct fixture *f)
{
	const int most = (int)quota_limit(QUOTA_SESSIONS_ACTIVE)->per_user;
	struct session s = session_of("p");
	char id[SESSION_ID_MAX + 1], last[SESSION_ID_MAX + 1];

	fixture_begin(f);
	for (int i = 0; i < most; i++)
		assert_int_equal(registry_session_start(f->registry, &s, last), 0);
	assert_int_equal(registry_session_start(f->registry, &s, id), QUOTA_OVER_USER);
	s.uid = BEN;
	assert_int_equal(registry_session_start(f->registry, &s, id), 0);
	s.uid = 0; /* who is to clear up */
	for (int i = 0; i < most + 1; i++)
		assert_int_equal(registry_session_start(f->registry, &s, id), 0);
	s = session_of("p");
	assert_int_equal(registry_session_stall(f->registry, last, FIXTURE_NOW), 0);
	assert_int_equal(registry_session_start(f->registry, &s, id), 0);
	fixture_commit(f);
}

TEST_WITH(all_users_together_leave_sessions_for_root, struct fixture *f)
{
	const struct quota_limit *limit = quota_limit(QUOTA_SESSIONS_ACTIVE);
	struct session s = session_of("p");
	char id[SESSION_ID_MAX + 1];
	uint64_t users = limit->machine - limit->reserved;

	fixture_begin(f);
	for (uint64_t i = 0; i < users; i++) {
		s.uid = (uid_t)(2000 + i / limit->per_user);
		assert_int_equal(registry_session_start(f->registry, &s, id), 0);
	}
	s.uid = 3000;
	assert_int_equal(registry_session_start(f->registry, &s, id), QUOTA_OVER_MACHINE);
	s.uid = 0;
	for (uint64_t i = 0; i < limit->reserved; i++)
		assert_int_equal(registry_session_start(f->registry, &s, id), 0);
	assert_int_equal(registry_session_start(f->registry, &s, id), QUOTA_OVER_MACHINE);
	fixture_commit(f);
}

/* --- notes --- */

static bool see_note(const struct note *note, void *user_data)
{
	struct seen *seen = user_data;
	size_t used = strlen(seen->text);

	snprintf(seen->text + used, sizeof(seen->text) - used, "%s,", note->text);
	seen->n++;
	return true;
}

static struct seen notes_of(struct fixture *f, const char *session, int64_t limit)
{
	struct seen seen = { 0 };
	int64_t after = INT64_MIN;

	if (limit)
		assert_int_equal(registry_newest_notes(f->registry, session, limit, &after), 0);
	assert_int_equal(registry_for_each_note(f->registry, session, after, see_note, &seen), 0);
	return seen;
}

TEST_WITH(notes_come_oldest_first_and_the_limit_keeps_the_newest, struct fixture *f)
{
	char id[SESSION_ID_MAX + 1], other[SESSION_ID_MAX + 1];

	start_one(f, id);
	start_one(f, other);
	add_note(f, id, "one", 1);
	add_note(f, other, "elsewhere", 2);
	add_note(f, id, "two\n\x1b[31m", 3);
	add_note(f, id, "three", 4);
	assert_string_equal(notes_of(f, id, 0).text, "one,two\n\x1b[31m,three,");
	assert_string_equal(notes_of(f, id, 2).text, "two\n\x1b[31m,three,");
	assert_string_equal(find(f, id).note, "three");
	assert_int_equal(find(f, id).last.last_note_at, 4);
	assert_int_equal(find(f, id).last.n_notes, 3);
	assert_int_equal(find(f, other).last.n_notes, 1);
}

TEST_WITH(a_session_keeps_its_newest_notes, struct fixture *f)
{
	char id[SESSION_ID_MAX + 1];

	start_one(f, id);
	fixture_insert(f, NOTES_PER_SESSION,
		       "notes(session, timestamp, text) SELECT '%s', i, i FROM n", id);
	add_note(f, id, "last", 99);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM notes"), NOTES_PER_SESSION);
	fixture_expect(f, "SELECT min(id) FROM notes", "2");
}

/* Notes of the longest text, as a flood writes them. */
static void flood(struct fixture *f, const char *session, uid_t uid, int notes)
{
	static char text[NOTE_MAX_BYTES + 1];
	struct note note = { .session = session, .timestamp = 1, .text = text, .uid = uid };

	memset(text, 'x', NOTE_MAX_BYTES);
	fixture_begin(f);
	for (int i = 0; i < notes; i++)
		assert_int_equal(registry_note_add(f->registry, &note, NULL), 0);
	fixture_commit(f);
}

/* The sums are those of the rows that are there. */
static void expect_sums_right(struct fixture *f)
{
	fixture_expect(f,
		       "SELECT ((SELECT ifnull(sum(length(text) + 128), 0) FROM notes) - "
		       "(SELECT bytes FROM noteSums WHERE kind = 'all')) || ' ' || "
		       "((SELECT count(*) FROM notes) - "
		       "(SELECT notes FROM noteSums WHERE kind = 'all')) || ' ' || "
		       "((SELECT sum(bytes) FROM noteSums WHERE kind = 'user') = "
		       "(SELECT sum(bytes) FROM noteSums WHERE kind = 'session'))",
		       "0 0 1");
}

TEST_WITH(a_session_keeps_no_more_bytes_than_one_answer_may_have, struct fixture *f)
{
	char id[SESSION_ID_MAX + 1];

	start_one(f, id);
	flood(f, id, ANN, NOTES_PER_SESSION_BYTES / NOTE_MAX_BYTES + 20);
	assert_in_range(fixture_number(f, "SELECT sum(length(text)) FROM notes"),
			NOTES_PER_SESSION_BYTES - 3 * NOTE_MAX_BYTES + 1, NOTES_PER_SESSION_BYTES);
	expect_sums_right(f);
}

/* Nine sessions would hold more than a user may. */
TEST_WITH(a_user_who_floods_notes_loses_their_own_oldest, struct fixture *f)
{
	struct session s = session_of("p");
	const uint64_t most = quota_limit(QUOTA_NOTE_BYTES)->per_user;
	char id[SESSION_ID_MAX + 1];

	s.uid = BEN;
	start(f, &s, id);
	flood(f, id, BEN, 3);
	s.uid = ANN;
	for (uint64_t n = 0; n < most + NOTES_PER_SESSION_BYTES; n += NOTES_PER_SESSION_BYTES) {
		start(f, &s, id);
		flood(f, id, ANN, NOTES_PER_SESSION_BYTES / (NOTE_MAX_BYTES + 128));
	}
	assert_in_range(
		fixture_number(f,
			       "SELECT bytes FROM noteSums WHERE kind = 'user' AND owner = 1000"),
		most - 2 * NOTE_MAX_BYTES, most);
	fixture_expect(f, "SELECT count(*) FROM notes WHERE uid = 1001", "3");
	expect_sums_right(f);
}

TEST_WITH(where_all_have_too_many_notes_who_has_most_loses_them, struct fixture *f)
{
	const struct quota_limit *limit = quota_limit(QUOTA_NOTE_BYTES);

	fixture_insert(f, (int)(limit->machine / (1 << 18)) + 1,
		       "notes(session, text, uid) SELECT 's' || i / 1000, "
		       "CAST(zeroblob(%d) AS TEXT), 5000 + i %% 4 FROM n",
		       (1 << 18) - 128);
	fixture_shell(f, "INSERT INTO notes(session, text, uid) VALUES('rare', 'kept', 6000);"
			 "INSERT INTO sessions(id, status, uid) VALUES('rare', 'active', 6000)");
	flood(f, "rare", 6000, 1);
	assert_in_range(fixture_number(f, "SELECT bytes FROM noteSums WHERE kind = 'all'"), 1,
			limit->machine);
	fixture_expect(f, "SELECT count(*) FROM notes WHERE uid = 6000", "2");
}

TEST_WITH(sums_of_notes_follow_what_people_do_by_hand, struct fixture *f)
{
	char id[SESSION_ID_MAX + 1];

	start_one(f, id);
	for (int i = 0; i < 4; i++)
		add_note(f, id, "12345", 1);
	fixture_shell(f, "DELETE FROM notes WHERE id = 1; UPDATE notes SET text = '1' WHERE id = 2;"
			 "UPDATE notes SET session = 'other', uid = NULL WHERE id = 3");
	expect_sums_right(f);
	fixture_expect(f, "SELECT bytes FROM noteSums WHERE owner = -1", "133");
	/* past the triggers, and as wrong as can be: nothing is forgotten for it */
	fixture_shell(f, "INSERT OR REPLACE INTO notes(id, session, text) VALUES(2, 'x', 'y')");
	for (int i = 0; i < 2; i++) {
		fixture_shell(f, "UPDATE noteSums SET bytes = 99999999");
		add_note(f, id, "12345", 1);
		expect_sums_right(f);
	}
	fixture_expect(f, "SELECT count(*) FROM notes", "5");
}

/* --- retention --- */

static void prune(struct fixture *f)
{
	assert_in_batch(f, registry_prune_activity(f->registry, FIXTURE_NOW, 100000), 0);
}

TEST_WITH(sessions_beyond_the_limits_go_with_their_notes, struct fixture *f)
{
	/* all of them ended long ago, but for one that is active */
	fixture_insert(f, SESSIONS_KEPT + 50,
		       "sessions(id, startedAt, endedAt, status) "
		       "SELECT 's' || i, i, i, 'completed' FROM n");
	fixture_shell(f, "INSERT INTO sessions(id, startedAt, status) "
			 "VALUES('old-active', 1, 'active');"
			 "INSERT INTO notes(session, text) VALUES('s1', 'x'), ('old-active', 'y'), "
			 "(NULL, 'z')");
	prune(f);
	assert_int_equal(
		fixture_number(f, "SELECT count(*) FROM sessions WHERE status = 'completed'"),
		SESSIONS_KEEP_NEWEST);
	fixture_expect(f, "SELECT min(endedAt) FROM sessions", "1031");
	fixture_expect(f, "SELECT group_concat(text) FROM notes", "y");
}

TEST_WITH(stalled_sessions_are_completed_after_a_week_or_beyond_their_number, struct fixture *f)
{
	fixture_shellf(f,
		       "INSERT INTO sessions(id, startedAt, stalledAt, status, uid) VALUES"
		       "('old', 1, %d, 'stalled', 1000), ('young', 1, %d, 'stalled', 1000),"
		       "('active', 1, NULL, 'active', 1000)",
		       FIXTURE_NOW - SESSIONS_STALLED_KEEP_S - 1,
		       FIXTURE_NOW - SESSIONS_STALLED_KEEP_S);
	fixture_insert(f, SESSIONS_STALLED_KEEP_NEWEST + 1,
		       "sessions(id, startedAt, stalledAt, status, uid) "
		       "SELECT 's' || i, 1, %d + i, 'stalled', 1001 FROM n",
		       FIXTURE_NOW - 1000);
	prune(f);
	fixture_expect(f,
		       "SELECT group_concat(id) FROM (SELECT id FROM sessions "
		       "WHERE status = 'completed' AND endedAt = stalledAt ORDER BY id)",
		       "old,s1");
	fixture_expect(f, "SELECT status FROM sessions WHERE id = 'young'", "stalled");
	fixture_expect(f, "SELECT status FROM sessions WHERE id = 'active'", "active");
}

TEST_WITH(a_user_who_starts_and_ends_sessions_pushes_out_their_own, struct fixture *f)
{
	fixture_shellf(f,
		       "INSERT INTO sessions(id, startedAt, endedAt, status, uid) "
		       "VALUES('precious', 1, %d, 'completed', 1001)",
		       FIXTURE_NOW - 100);
	fixture_insert(f, SESSIONS_KEPT + 50,
		       "sessions(id, startedAt, endedAt, status, uid) "
		       "SELECT 's' || i, 1, 1700000000, 'completed', 1000 FROM n");
	prune(f);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM sessions"), SESSIONS_KEPT);
	fixture_expect(f, "SELECT count(*) FROM sessions WHERE id = 'precious'", "1");
}

TEST_WITH(young_sessions_are_kept_up_to_their_number, struct fixture *f)
{
	fixture_insert(f, SESSIONS_KEPT + 50,
		       "sessions(id, startedAt, stalledAt, status) "
		       "SELECT 's' || i, 1, 1700000000 - i, 'stalled' FROM n");
	prune(f);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM sessions"), SESSIONS_KEPT);
	fixture_expect(f, "SELECT count(*) FROM sessions WHERE id = 's1'", "1");
}

EACH_TEST_MAIN(fixture_setup, fixture_teardown)
