/* SPDX-License-Identifier: MIT */
/* Whose launcher has gone, and what is said of it. */
#include <netinet/in.h>

#include "reconcile/status.h"
#include "testing.h"

#define KILLED	 9
#define HUNG_UP	 1
#define FAILED	 (2 << 8)
#define ENDED_AT 5000

TEST(a_launcher_that_fails_or_is_killed_leaves_its_server_behind)
{
	static const struct {
		const char *what;
		int exit_code;
		int64_t ended_at;
		pid_t sid, own_sid;
		bool ignores_hangup, left_behind;
	} cases[] = {
		{ "it was killed", KILLED, ENDED_AT, 10, 10, false, true },
		{ "it ended with an error", FAILED, ENDED_AT, 10, 10, false, true },
		{ "it ended with success", 0, ENDED_AT, 10, 10, false, false },
		{ "it lives", 0, 0, 10, 10, false, false },
		{ "the server has left its session", KILLED, ENDED_AT, 10, 20, false, false },
		{ "nobody knows its session", KILLED, ENDED_AT, 0, 0, false, false },
		{ "the shell hung up, below nohup", HUNG_UP, ENDED_AT, 30, 30, true, false },
		{ "the shell hung up", HUNG_UP, ENDED_AT, 30, 30, false, true },
		{ "npm was killed, below nohup", KILLED, ENDED_AT, 10, 10, true, true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct process p = { .id = { 50, 1 }, .n_ancestors = 1 };
		const struct process_ancestor *launcher;

		p.sid = cases[i].own_sid;
		p.ignores_hangup = cases[i].ignores_hangup;
		p.ancestors[0] = (struct process_ancestor){ { 30, 1 }, "npm" };
		p.ancestors[0].sid = cases[i].sid;
		p.ancestors[0].exit_code = cases[i].exit_code;
		p.ancestors[0].ended_at = cases[i].ended_at;
		launcher = process_left_behind_by(&p);
		if (launcher != (cases[i].left_behind ? &p.ancestors[0] : NULL))
			fail_msg("%s", cases[i].what);
	}
}

TEST(the_first_that_ended_is_named_and_of_two_the_one_further_up)
{
	struct process p = { .id = { 50, 1 }, .sid = 10, .n_ancestors = 4 };

	for (int i = 0; i < p.n_ancestors; i++) {
		p.ancestors[i] = (struct process_ancestor){ { 30 + i, 1 }, "sh" };
		p.ancestors[i].sid = 10;
		p.ancestors[i].exit_code = KILLED;
		p.ancestors[i].ended_at = ENDED_AT;
	}
	p.ancestors[3].ended_at = ENDED_AT + 60;
	assert_ptr_equal(process_left_behind_by(&p), &p.ancestors[2]);
}

TEST(how_a_launcher_ended_is_said)
{
	static const struct {
		int exit_code;
		const char *words;
	} cases[] = {
		{ KILLED, "npm start (30), which was killed at " },
		{ HUNG_UP, "npm start (30), which was ended by SIGHUP at " },
		{ FAILED, "npm start (30), which ended with exit code 2 at " },
		{ 60, "npm start (30), which was ended by signal 60 at " },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct process_ancestor a = { { 30, 1 }, "npm start" };
		char words[LAUNCHER_WORDS_SIZE];

		a.exit_code = cases[i].exit_code;
		a.ended_at = ENDED_AT;
		launcher_words(&a, words);
		assert_memory_equal(words, cases[i].words, strlen(cases[i].words));
	}
}

static const struct process *only_process(const struct process_id *id, void *process)
{
	return process;
}

TEST(a_claim_whose_server_was_left_behind_is_orphaned)
{
	const struct service claim = { .id = "app:web", .port = 3100, .uid = 100 };
	const struct holder holder = { .id = { 50, 1 } };
	const struct socket_row row = { .protocol = IPPROTO_TCP,
					.state = SOCKET_LISTEN,
					.port = 3100,
					.uid = 100,
					.n_holders = 1,
					.holders = (struct holder *)&holder };
	const struct socket_row *rows[] = { &row };
	struct process server = { .id = { 50, 1 }, .uid = 100, .sid = 10, .n_ancestors = 1 };
	const struct status_sources sources = { only_process, NULL, &server };
	struct status_verdict verdict;

	strcpy(server.comm, "node");
	server.ancestors[0] = (struct process_ancestor){ { 30, 1 }, "npm" };
	server.ancestors[0].sid = 10;
	reconcile_service(&claim, rows, 1, &sources, ENDED_AT, 1800, &verdict);
	assert_int_equal(verdict.status, SERVICE_ACTIVE);

	server.ancestors[0].exit_code = KILLED;
	server.ancestors[0].ended_at = ENDED_AT;
	reconcile_service(&claim, rows, 1, &sources, ENDED_AT, 1800, &verdict);
	assert_int_equal(verdict.status, SERVICE_ORPHANED);
	assert_int_equal(verdict.process.pid, 50);
	assert_non_null(strstr(verdict.reason,
			       "node (50) was left behind by npm (30), which was killed at "));
}

TEST_MAIN(NULL, NULL)
