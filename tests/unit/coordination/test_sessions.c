/* SPDX-License-Identifier: MIT */
/* Sessions: what they stand on, what ends and stalls them, and whose is meant. */
#include "world.h"

#include "coordination/sessions.h"

struct room {
	struct world *world;
	struct sessions *sessions;
};

static int open_room(void **state)
{
	struct room *room = calloc(1, sizeof(*room));
	void *world;

	assert_non_null(room);
	assert_int_equal(world_open(&world), 0);
	room->world = world;
	assert_int_equal(sessions_new(&room->world->c, &room->sessions), 0);
	*state = room;
	return 0;
}

static int close_room(void **state)
{
	struct room *room = *state;
	void *world = room->world;

	sessions_free(room->sessions);
	free(room);
	return world_close(&world);
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

static struct session_copy start_by(struct room *room, const struct session_caller *caller)
{
	struct session session = { .purpose = "Building checkout UI" };
	struct sessions_found found;
	char id[SESSION_ID_MAX + 1];

	assert_int_equal(sessions_start(room->sessions, caller, &session, id), 0);
	world_commit(room->world);
	assert_int_equal(sessions_find(room->sessions, id, &found), 0);
	assert_int_equal(found.n, 1);
	return found.sessions[0];
}

static struct session_copy start(struct room *room, const struct process_id *shell)
{
	const struct session_caller caller = caller_of(shell);

	return start_by(room, &caller);
}

static struct session_copy look(struct room *room, const struct session_copy *session)
{
	struct sessions_found found;

	assert_int_equal(sessions_find(room->sessions, session->id, &found), 0);
	assert_int_equal(found.n, 1);
	return found.sessions[0];
}

static bool keep_row(const struct session *s, void *ret)
{
	*(struct session *)ret = *s; /* but for its strings */
	return false;
}

static struct process_id stands_on(struct room *room, const struct session_copy *session)
{
	struct session row = { 0 };

	assert_int_equal(
		registry_session_find(room->world->c.registry, session->id, keep_row, &row), 0);
	return row.process;
}

/* --- the end of what it stands on --- */

TEST_WITH(the_end_of_the_shell_stalls_and_is_written_down, struct room *room)
{
	struct process_id shell = child_new();
	struct session_copy s = start(room, &shell);
	char words[64];

	assert_int_equal(s.status, SESSION_ACTIVE);
	assert_entry(room->world, ACTIVITY_SESSION, s.id, "started: Building checkout UI");
	assert_string_equal(room->world->comm, "pd");
	child_kill(&shell);
	world_wait(room->world, look(room, &s).status == SESSION_STALLED);
	snprintf(words, sizeof(words), "stalled: its shell %d is gone", shell.pid);
	assert_entry(room->world, ACTIVITY_SESSION, s.id, words);
	assert_int_equal(room->world->pid, shell.pid);
	assert_int_equal(room->world->uid, ANNE);
}

TEST_WITH(a_shell_that_ended_meanwhile_stalls_at_once, struct room *room)
{
	struct process_id shell = child_new();
	struct session_copy s;

	child_kill(&shell);
	s = start(room, &shell);
	assert_int_equal(s.status, SESSION_STALLED);
}

TEST_WITH(an_ended_session_is_not_stalled_any_more, struct room *room)
{
	struct process_id shell = child_new(), later = child_new();
	struct session_caller caller = caller_of(&shell);
	struct session_copy s = start(room, &shell), other = start(room, &later);

	assert_int_equal(sessions_end(room->sessions, &caller, &s, "done"), 0);
	world_commit(room->world);
	assert_entry(room->world, ACTIVITY_SESSION, s.id, "ended");
	assert_int_equal(quota_used(room->world->c.quota, ANNE, QUOTA_PROCESS_FDS), 1);
	child_kill(&shell);
	/* one that ends later is told later: by then the first would have been */
	child_kill(&later);
	world_wait(room->world, look(room, &other).status == SESSION_STALLED);
	assert_int_equal(look(room, &s).status, SESSION_COMPLETED);
}

TEST_WITH(what_ended_while_no_daemon_ran_is_stalled_when_the_watch_begins, struct room *room)
{
	struct process_id dead = child_new(), alive = child_new();
	struct session_copy gone = start(room, &dead), stays = start(room, &alive);

	sessions_free(room->sessions);
	child_kill(&dead);
	assert_int_equal(sessions_new(&room->world->c, &room->sessions), 0);
	assert_int_equal(look(room, &gone).status, SESSION_ACTIVE);
	sessions_watch_all(room->sessions);
	world_commit(room->world);
	assert_int_equal(look(room, &gone).status, SESSION_STALLED);
	assert_int_equal(look(room, &stays).status, SESSION_ACTIVE);
	child_kill(&alive);
	world_wait(room->world, look(room, &stays).status == SESSION_STALLED);
}

TEST_WITH(a_session_without_a_shell_is_ended_by_hand_alone, struct room *room)
{
	const struct session_caller invisible = { .uid = ANNE, .now = time(NULL) };
	struct session_copy s = start_by(room, &invisible);

	assert_int_equal(stands_on(room, &s).pid, 0);
	sessions_watch_all(room->sessions);
	world_turn(room->world);
	assert_int_equal(look(room, &s).status, SESSION_ACTIVE);
}

TEST_WITH(sudo_is_no_shell, struct room *room)
{
	struct process_id sudo = child_new(), shell = child_new();
	struct session_caller caller = caller_of(&sudo);
	struct session_copy s;

	strcpy(caller.process.ancestors[0].comm, "sudo");
	caller.process.ancestors[1] = (struct process_ancestor){ shell, "bash" };
	caller.process.n_ancestors = 2;
	s = start_by(room, &caller);
	child_kill(&sudo);
	assert_int_equal(stands_on(room, &s).pid, shell.pid);
	child_kill(&shell);
}

/* --- notes --- */

TEST_WITH(a_note_revives_a_stalled_session_on_the_shell_that_writes_it, struct room *room)
{
	struct process_id first = child_new(), second = child_new();
	struct session_copy s = start(room, &first);
	struct session_caller caller = caller_of(&second);
	bool revived;

	child_kill(&first);
	world_wait(room->world, look(room, &s).status == SESSION_STALLED);
	s = look(room, &s);
	caller.uid = 0;
	assert_int_equal(sessions_add_note(room->sessions, &caller, &s, "x", NULL, &revived), 0);
	world_commit(room->world);
	assert_false(revived);
	assert_int_equal(look(room, &s).status, SESSION_STALLED);
	caller.uid = ANNE;
	assert_int_equal(sessions_add_note(room->sessions, &caller, &s, "x", NULL, &revived), 0);
	world_commit(room->world);
	assert_true(revived);
	assert_int_equal(look(room, &s).status, SESSION_ACTIVE);
	assert_int_equal(stands_on(room, &s).pid, second.pid);
	child_kill(&second);
	world_wait(room->world, look(room, &s).status == SESSION_STALLED);
}

TEST_WITH(the_activity_has_the_first_line_of_a_note_cut_at_a_character, struct room *room)
{
	struct process_id shell = child_new();
	struct session_copy s = start(room, &shell);
	struct session_caller caller = caller_of(&shell);
	char text[202] = "", expected[104] = "";
	bool revived;

	assert_int_equal(sessions_add_note(room->sessions, &caller, &s, "one\ntwo", NULL, &revived),
			 0);
	assert_string_equal(room->world->details, "one\xE2\x80\xA6");
	/* 'x', then characters of two bytes: the hundredth byte is the first half of one */
	text[0] = expected[0] = 'x';
	for (size_t i = 0; i < 100; i++)
		memcpy(text + 1 + 2 * i, "\xC3\xA4", 2);
	memcpy(expected + 1, text + 1, 98);
	strcat(expected, "\xE2\x80\xA6");
	assert_int_equal(sessions_add_note(room->sessions, &caller, &s, text, NULL, &revived), 0);
	assert_string_equal(room->world->details, expected);
	assert_entry(room->world, ACTIVITY_NOTE, s.id, "x");
	world_commit(room->world);
	child_kill(&shell);
}

/* --- which is meant --- */

TEST_WITH(the_nearest_of_ones_own_is_meant, struct room *room)
{
	struct process_id shell = child_new(), other = child_new();
	struct session_caller caller = caller_of(&shell);
	struct session_copy on_shell = start(room, &shell), elsewhere = start(room, &other);
	struct sessions_found found;

	assert_int_equal(sessions_find_own(room->sessions, &caller, "/srv/shop", &found), 0);
	assert_int_equal(found.n, 1);
	assert_string_equal(found.sessions[0].id, on_shell.id);
	assert_int_equal(sessions_end(room->sessions, &caller, &on_shell, NULL), 0);
	world_commit(room->world);
	assert_int_equal(sessions_find_own(room->sessions, &caller, "/srv/shop", &found), 0);
	assert_int_equal(found.n, 1);
	assert_string_equal(found.sessions[0].id, elsewhere.id);
	assert_int_equal(found.nearest.near, BELONGS_BY_DIRECTORY);
	caller.uid = BERT;
	assert_int_equal(sessions_find_own(room->sessions, &caller, "/srv/shop", &found), 0);
	assert_int_equal(found.n, 0);
	child_kill(&shell);
	child_kill(&other);
}

TEST_WITH(of_several_on_one_shell_the_newest_is_meant, struct room *room)
{
	struct process_id shell = child_new();
	const struct session_caller caller = caller_of(&shell);
	struct session_copy last = { 0 };
	struct sessions_found found;

	for (int i = 0; i < SESSIONS_CANDIDATES_MAX + 3; i++)
		last = start(room, &shell);
	assert_int_equal(sessions_find_own(room->sessions, &caller, "", &found), 0);
	assert_int_equal(found.n, 1);
	assert_string_equal(found.sessions[0].id, last.id);
	child_kill(&shell);
}

TEST_WITH(of_more_candidates_than_are_kept_the_number_is_told, struct room *room)
{
	struct process_id shell = child_new(), other = child_new();
	const struct session_caller caller = caller_of(&shell);
	struct sessions_found found;

	for (int i = 0; i < SESSIONS_CANDIDATES_MAX + 3; i++)
		start(room, &other);
	assert_int_equal(sessions_find_own(room->sessions, &caller, "/srv/shop", &found), 0);
	assert_int_equal(found.n, SESSIONS_CANDIDATES_MAX + 3);
	assert_true(*found.sessions[SESSIONS_CANDIDATES_MAX - 1].id);
	child_kill(&shell);
	child_kill(&other);
}

TEST_WITH(more_active_sessions_than_a_user_may_have_are_refused, struct room *room)
{
	const struct session_caller caller = { .uid = ANNE, .now = time(NULL) };
	uint64_t most = quota_limit(QUOTA_SESSIONS_ACTIVE)->per_user;
	struct session session = { .purpose = "p" };
	char id[SESSION_ID_MAX + 1];

	for (uint64_t i = 0; i < most; i++)
		assert_int_equal(sessions_start(room->sessions, &caller, &session, id), 0);
	world_commit(room->world);
	assert_int_equal(sessions_start(room->sessions, &caller, &session, id), QUOTA_OVER_USER);
	world_commit(room->world);
}

EACH_TEST_MAIN(open_room, close_room)
