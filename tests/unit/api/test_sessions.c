/* SPDX-License-Identifier: MIT */
/* Sessions and notes over the wire: bodies, owners, whose session is meant, and undone commits. */
#include "base/session.h"
#include "world.h"

static const struct answer *start(struct world *w, const char *purpose, const char *cwd)
{
	return post(w, "/v1/sessions", "{\"purpose\":\"%s\",\"cwd\":\"%s\"}", purpose, cwd);
}

static int64_t status_count(struct world *w, const char *path)
{
	const struct answer *a = ask_get(w, "/v1/status");

	assert_ok(a);
	return int_of(a, path);
}

/* --- bodies --- */

TEST_WITH(members_are_checked, struct world *w)
{
	static const struct {
		const char *path, *body, *words;
	} rows[] = {
		{ "/v1/sessions", "{}", "\"purpose\" is missing" },
		{ "/v1/sessions", "{\"purpose\":\"\"}", "\"purpose\" is missing" },
		{ "/v1/sessions", "{\"purpose\":\" \\n\"}", "\"purpose\" is missing" },
		{ "/v1/sessions", "{\"purpose\":7}", "not a string" },
		{ "/v1/sessions", "{\"purpose\":\"a\\u0000b\"}", "NUL" },
		{ "/v1/sessions", "{\"purpose\":\"p\",\"cwd\":\"src\"}", "absolute" },
		{ "/v1/sessions", "{\"purpose\":\"p\",\"pid\":1}", "unknown member" },
		{ "/v1/sessions", "{\"purpose\":\"\xff\"}", "not JSON" },
		{ "/v1/notes", "{}", "\"text\" is missing" },
		{ "/v1/notes", "{\"text\":\"\\n\"}", "the note is empty" },
		{ "/v1/notes", "{\"text\":\"x\",\"session\":\"a b\"}", "session-ab3" },
		{ "/v1/notes", "{\"text\":\"x\",\"environment\":\"a;b\"}", "$PORT_DADDY_SESSION" },
		{ "/v1/notes", "{\"text\":\"x\",\"session\":[]}", "not a string" },
		{ "/v1/sessions/end", "{\"note\":7}", "not a string" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_error(ask_post(w, rows[i].path, rows[i].body), 400, "bad_request",
			     rows[i].words);
	}
}

/* A body that ends in n times 'a'. */
static char *long_body(const char *before, size_t n)
{
	char *text = malloc(n + 1), *body;

	assert_non_null(text);
	memset(text, 'a', n);
	text[n] = '\0';
	assert_true(asprintf(&body, "%s%s\"}", before, text) > 0);
	free(text);
	return body;
}

TEST_WITH(texts_over_their_limits_are_too_large, struct world *w)
{
	static const struct {
		const char *path, *before;
		size_t limit;
	} rows[] = {
		{ "/v1/sessions", "{\"purpose\":\"", SESSION_PURPOSE_MAX_BYTES },
		{ "/v1/sessions", "{\"purpose\":\"p\",\"agent\":\"", SESSION_AGENT_MAX_BYTES },
		{ "/v1/notes", "{\"text\":\"", NOTE_MAX_BYTES },
		{ "/v1/sessions/end", "{\"note\":\"", NOTE_MAX_BYTES },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *body = long_body(rows[i].before, rows[i].limit + 1);
		const struct answer *a = ask_post(w, rows[i].path, body);
		char limit[32];

		snprintf(limit, sizeof(limit), "%zu", rows[i].limit);
		assert_error(a, 413, "too_large", limit);
	}
}

TEST_WITH(a_note_of_the_longest_kind_comes_back_whole, struct world *w)
{
	const struct answer *s = start(w, "p", "/tmp");
	_cleanup_free_ char *body = long_body("{\"text\":\"", NOTE_MAX_BYTES);
	const struct answer *got;

	assert_ok(s);
	/* the only session of this shell */
	assert_ok(ask_post(w, "/v1/notes", body));
	got = ask_get(w, "/v1/notes");
	assert_ok(got);
	assert_int_equal(strlen(text_of(got, "notes.0.text")), NOTE_MAX_BYTES);
}

/* --- whose --- */

TEST_WITH(the_process_is_the_parent_of_who_connects, struct world *w)
{
	const struct answer *s = start(w, "p", "/tmp");
	const struct answer *list = ask_get(w, "/v1/sessions");

	assert_ok(s);
	/* this test connects: what started it is the shell */
	assert_int_equal(int_of(s, "pid"), getppid());
	assert_int_equal(int_of(list, "sessions.0.pid"), getppid());
	assert_string_equal(text_of(list, "sessions.0.status"), "active");
	assert_string_equal(text_of(list, "sessions.0.cwd"), "/tmp");
}

TEST_WITH(another_users_session_is_neither_implied_nor_changed, struct world *w)
{
	const struct answer *s = start(w, "p", "/tmp");
	const struct answer *looked;
	char body[256];

	if (geteuid() != 0)
		skip();
	assert_ok(s);
	assert_error(ask_as_other(w, "POST", "/v1/notes", "{\"text\":\"x\",\"cwd\":\"/tmp\"}"), 404,
		     "not_found", "pd session start");
	snprintf(body, sizeof(body), "{\"text\":\"x\",\"session\":\"%s\"}", text_of(s, "id"));
	assert_error(ask_as_other(w, "POST", "/v1/notes", body), 403, "not_allowed", "root");
	looked = ask_as_other(w, "GET", "/v1/sessions?all=1", "");
	assert_ok(looked);
	assert_string_equal(text_of(looked, "sessions.0.purpose"), "p");
	assert_string_equal(text_of(looked, "sessions.0.cwd"), "(null)");
}

TEST_WITH(root_writes_into_a_stalled_session_of_another_without_reviving_it, struct world *w)
{
	if (geteuid() != 0)
		skip();
	home_type_sql(w->database, "INSERT INTO sessions(id, purpose, startedAt, status, uid) "
				   "VALUES('session-ab3', 'p', 1, 'stalled', 1000)");
	assert_ok(ask_post(w, "/v1/notes", "{\"session\":\"ab3\",\"text\":\"x\"}"));
	assert_int_equal(status_count(w, "sessions.stalled"), 1);
}

TEST_WITH(an_ended_session_is_not_ended_again, struct world *w)
{
	const struct answer *s = start(w, "p", "/tmp"), *ended, *again;
	char body[128];

	snprintf(body, sizeof(body), "{\"session\":\"%s\"}", text_of(s, "id"));
	ended = ask_post(w, "/v1/sessions/end", body);
	assert_ok(ended);
	assert_int_equal(int_of(ended, "startedAt"), int_of(s, "startedAt"));
	again = ask_post(w, "/v1/sessions/end", body);
	assert_error(again, 404, "not_found", "has ended");
}

/* --- names in the status --- */

TEST_WITH(the_status_names_agents_else_purposes_and_is_bounded, struct world *w)
{
	const struct answer *agent = ask_post(w, "/v1/sessions",
					      "{\"purpose\":\"p\",\"agent\":\"Agent 1\"}");
	const struct answer *status;

	assert_ok(agent);
	for (int i = 0; i < 12; i++) {
		assert_ok(start(w,
				"\xc3\xa4 purpose that is far too long for one line of the status",
				"/tmp"));
	}
	status = ask_get(w, "/v1/status");
	assert_int_equal(int_of(status, "sessions.active"), 13);
	assert_int_equal(count_of(status, "sessions.names"), 8);
	assert_true(strlen(text_of(status, "sessions.names.7")) <= 40);
}

EACH_TEST_MAIN(world_open, world_close)
