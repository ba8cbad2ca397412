/* SPDX-License-Identifier: MIT */
/* Sessions: what they stand on, what ends and stalls them, and whose is meant. */
#include "world.h"

#include "coordination/sessions.h"

static int open_sessions(void **state)
{
	struct world *w;

	assert_int_equal(world_open(state), 0);
	w = *state;
	return sessions_new(&w->c, &w->sessions);
}

static int close_sessions(void **state)
{
	sessions_free(((struct world *)*state)->sessions);
	return world_close(state);
}

/* pd, as a shell runs it. */
static struct session_caller caller_of(const struct process_id *shell)
{
	struct session_caller caller = { .uid = ANNE, .pid = 7, .now = time(NULL) };

	caller.process = (struct process){ .id = { 7, 1 },
					   .uid = ANNE,
					   .comm = "pd",
					   .cwd = "/srv/shop",
					   .n_ancestors = 1,
					   .ancestors = { { *shell, "bash" } } };
	return caller;
}

static struct session_copy start_by(struct world *w, const struct session_caller *caller)
{
	struct session session = { .purpose = "Building checkout UI" };
	struct sessions_found found;
	char id[SESSION_ID_MAX + 1];

	assert_int_equal(sessions_start(w->sessions, caller, &session, id), 0);
	world_commit(w);
	assert_int_equal(sessions_find(w->sessions, id, &found), 0);
	assert_int_equal(found.n, 1);
	return found.sessions[0];
}

static struct session_copy start(struct world *w, const struct process_id *shell)
{
	const struct session_caller caller = caller_of(shell);

	return start_by(w, &caller);
}

static struct session_copy look(struct world *w, const struct session_copy *session)
{
	struct sessions_found found;

	assert_int_equal(sessions_find(w->sessions, session->id, &found), 0);
	assert_int_equal(found.n, 1);
	return found.sessions[0];
}

static bool keep_row(const struct session *s, void *ret)
{
	*(struct session *)ret = *s; /* but for its strings */
	return false;
}

static struct process_id stands_on(struct world *w, const struct session_copy *session)
{
	struct session row = { 0 };

	assert_int_equal(registry_session_find(w->c.registry, session->id, keep_row, &row), 0);
	return row.process;
}

/* --- the end of what it stands on --- */

TEST_WITH(the_end_of_the_shell_stalls_and_is_written_down, struct world *w)
{
	struct process_id shell = child_new();
	struct session_copy s = start(w, &shell);
	char words[64];

	assert_int_equal(s.status, SESSION_ACTIVE);
	assert_entry(w, ACTIVITY_SESSION, s.id, "started: Building checkout UI");
	assert_string_equal(w->comm, "pd");
	child_kill(&shell);
	world_wait(w, look(w, &s).status == SESSION_STALLED);
	snprintf(words, sizeof(words), "stalled: its shell %d is gone", shell.pid);
	assert_entry(w, ACTIVITY_SESSION, s.id, words);
	assert_int_equal(w->pid, shell.pid);
	assert_int_equal(w->uid, ANNE);
}

TEST_WITH(a_shell_that_ended_meanwhile_stalls_at_once, struct world *w)
{
	struct process_id shell = child_new();
	struct session_copy s;

	child_kill(&shell);
	s = start(w, &shell);
	assert_int_equal(s.status, SESSION_STALLED);
}

TEST_WITH(an_ended_session_is_not_stalled_any_more, struct world *w)
{
	struct process_id shell = child_new(), later = child_new();
	struct session_caller caller = caller_of(&shell);
	struct session_copy s = start(w, &shell), other = start(w, &later);

	assert_int_equal(sessions_end(w->sessions, &caller, &s, "done"), 0);
	world_commit(w);
	assert_entry(w, ACTIVITY_SESSION, s.id, "ended");
	assert_int_equal(quota_used(w->c.quota, ANNE, QUOTA_PROCESS_FDS), 1);
	child_kill(&shell);
	/* one that ends later is told later: by then the first would have been */
	child_kill(&later);
	world_wait(w, look(w, &other).status == SESSION_STALLED);
	assert_int_equal(look(w, &s).status, SESSION_COMPLETED);
}

TEST_WITH(what_ended_while_no_daemon_ran_is_stalled_when_the_watch_begins, struct world *w)
{
	struct process_id dead = child_new(), alive = child_new();
	struct session_copy gone = start(w, &dead), stays = start(w, &alive);

	sessions_free(w->sessions);
	child_kill(&dead);
	assert_int_equal(sessions_new(&w->c, &w->sessions), 0);
	assert_int_equal(look(w, &gone).status, SESSION_ACTIVE);
	sessions_watch_all(w->sessions);
	world_commit(w);
	assert_int_equal(look(w, &gone).status, SESSION_STALLED);
	assert_int_equal(look(w, &stays).status, SESSION_ACTIVE);
	child_kill(&alive);
	world_wait(w, look(w, &stays).status == SESSION_STALLED);
}

TEST_WITH(a_session_without_a_shell_is_ended_by_hand_alone, struct world *w)
{
	const struct session_caller invisible = { .uid = ANNE, .now = time(NULL) };
	struct session_copy s = start_by(w, &invisible);

	assert_int_equal(stands_on(w, &s).pid, 0);
	sessions_watch_all(w->sessions);
	world_turn(w);
	assert_int_equal(look(w, &s).status, SESSION_ACTIVE);
}

TEST_WITH(sudo_is_no_shell, struct world *w)
{
	struct process_id sudo = child_new(), shell = child_new();
	struct session_caller caller = caller_of(&sudo);
	struct session_copy s;

	strcpy(caller.process.ancestors[0].comm, "sudo");
	caller.process.ancestors[1] = (struct process_ancestor){ shell, "bash" };
	caller.process.n_ancestors = 2;
	s = start_by(w, &caller);
	child_kill(&sudo);
	assert_int_equal(stands_on(w, &s).pid, shell.pid);
}

/* --- notes --- */

TEST_WITH(a_note_revives_a_stalled_session_on_the_shell_that_writes_it, struct world *w)
{
	struct process_id first = child_new(), second = child_new();
	struct session_copy s = start(w, &first);
	struct session_caller caller = caller_of(&second);
	bool revived;

	child_kill(&first);
	world_wait(w, look(w, &s).status == SESSION_STALLED);
	s = look(w, &s);
	caller.uid = 0;
	assert_int_equal(sessions_add_note(w->sessions, &caller, &s, "x", NULL, &revived), 0);
	world_commit(w);
	assert_false(revived);
	assert_int_equal(look(w, &s).status, SESSION_STALLED);
	caller.uid = ANNE;
	assert_int_equal(sessions_add_note(w->sessions, &caller, &s, "x", NULL, &revived), 0);
	world_commit(w);
	assert_true(revived);
	assert_int_equal(look(w, &s).status, SESSION_ACTIVE);
	assert_int_equal(stands_on(w, &s).pid, second.pid);
	child_kill(&second);
	world_wait(w, look(w, &s).status == SESSION_STALLED);
}

TEST_WITH(the_activity_has_the_first_line_of_a_note_cut_at_a_character, struct world *w)
{
	struct process_id shell = child_new();
	struct session_copy s = start(w, &shell);
	struct session_caller caller = caller_of(&shell);
	char text[202] = "", expected[104] = "";
	bool revived;

	assert_int_equal(sessions_add_note(w->sessions, &caller, &s, "one\ntwo", NULL, &revived),
			 0);
	assert_string_equal(w->details, "one\xE2\x80\xA6");
	/* 'x', then characters of two bytes: the hundredth byte is the first half of one */
	text[0] = expected[0] = 'x';
	for (size_t i = 0; i < 100; i++)
		memcpy(text + 1 + 2 * i, "\xC3\xA4", 2);
	memcpy(expected + 1, text + 1, 98);
	strcat(expected, "\xE2\x80\xA6");
	assert_int_equal(sessions_add_note(w->sessions, &caller, &s, text, NULL, &revived), 0);
	assert_string_equal(w->details, expected);
	assert_entry(w, ACTIVITY_NOTE, s.id, "x");
	world_commit(w);
}

/* --- which is meant --- */

TEST_WITH(the_nearest_of_ones_own_is_meant, struct world *w)
{
	struct process_id shell = child_new(), other = child_new();
	struct session_caller caller = caller_of(&shell);
	struct session_copy on_shell = start(w, &shell), elsewhere = start(w, &other);
	struct sessions_found found;

	assert_int_equal(sessions_find_own(w->sessions, &caller, "/srv/shop", &found), 0);
	assert_int_equal(found.n, 1);
	assert_string_equal(found.sessions[0].id, on_shell.id);
	assert_int_equal(sessions_end(w->sessions, &caller, &on_shell, NULL), 0);
	world_commit(w);
	assert_int_equal(sessions_find_own(w->sessions, &caller, "/srv/shop", &found), 0);
	assert_int_equal(found.n, 1);
	assert_string_equal(found.sessions[0].id, elsewhere.id);
	assert_int_equal(found.nearest.near, BELONGS_BY_DIRECTORY);
	caller.uid = BERT;
	assert_int_equal(sessions_find_own(w->sessions, &caller, "/srv/shop", &found), 0);
	assert_int_equal(found.n, 0);
}

TEST_WITH(of_several_on_one_shell_the_newest_is_meant, struct world *w)
{
	struct process_id shell = child_new();
	const struct session_caller caller = caller_of(&shell);
	struct session_copy last = { 0 };
	struct sessions_found found;

	for (int i = 0; i < SESSIONS_CANDIDATES_MAX + 3; i++)
		last = start(w, &shell);
	assert_int_equal(sessions_find_own(w->sessions, &caller, "", &found), 0);
	assert_int_equal(found.n, 1);
	assert_string_equal(found.sessions[0].id, last.id);
}

TEST_WITH(of_more_candidates_than_are_kept_the_number_is_told, struct world *w)
{
	struct process_id shell = child_new(), other = child_new();
	const struct session_caller caller = caller_of(&shell);
	struct sessions_found found;

	for (int i = 0; i < SESSIONS_CANDIDATES_MAX + 3; i++)
		start(w, &other);
	assert_int_equal(sessions_find_own(w->sessions, &caller, "/srv/shop", &found), 0);
	assert_int_equal(found.n, SESSIONS_CANDIDATES_MAX + 3);
	assert_true(*found.sessions[SESSIONS_CANDIDATES_MAX - 1].id);
}

TEST_WITH(more_active_sessions_than_a_user_may_have_are_refused, struct world *w)
{
	const struct session_caller caller = { .uid = ANNE, .now = time(NULL) };
	uint64_t most = quota_limit(QUOTA_SESSIONS_ACTIVE)->per_user;
	struct session session = { .purpose = "p" };
	char id[SESSION_ID_MAX + 1];

	for (uint64_t i = 0; i < most; i++)
		assert_int_equal(sessions_start(w->sessions, &caller, &session, id), 0);
	world_commit(w);
	assert_int_equal(sessions_start(w->sessions, &caller, &session, id), QUOTA_OVER_USER);
	world_commit(w);
}

EACH_TEST_MAIN(open_sessions, close_sessions)
