/* SPDX-License-Identifier: MIT */
/* The pure parts of answers: outcomes, ages, summaries and remedies of made-up facts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "api/json.h"
#include "api/reply.h"
#include "api/why.h"

static void an_error_inside_is_never_the_clients_fault(void **state)
{
	assert_int_equal(reply_outcome(0), OUTCOME_OK);
	assert_int_equal(reply_outcome(OUTCOME_CONFLICT), OUTCOME_CONFLICT);
	assert_int_equal(reply_outcome(-EINVAL), OUTCOME_FAILED);
	assert_int_equal(reply_outcome(-EACCES), OUTCOME_FAILED);
	assert_int_equal(reply_outcome(-ENOMEM), OUTCOME_FAILED);
	assert_int_equal(reply_outcome(-ENOSPC), OUTCOME_NO_SPACE);
}

static void an_age_is_told_in_its_largest_unit(void **state)
{
	static const struct {
		int64_t seconds;
		const char *text;
	} rows[] = {
		{ -5, "1 second" },	     { 0, "1 second" },	    { 1, "1 second" },
		{ 59, "59 seconds" },	     { 60, "1 minute" },    { 3599, "59 minutes" },
		{ 3600, "1 hour" },	     { 86399, "23 hours" }, { 86400, "1 day" },
		{ 5 * 86400 + 7, "5 days" },
	};
	char text[32];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_string_equal(why_age(rows[i].seconds, text), rows[i].text);
}

/* Facts about one socket that no process is seen to hold. */
struct made_up {
	struct why_question question;
	struct why_answer answer;
	struct socket_row row;
	const struct socket_row *rows[1];
	struct why_facts facts;
};

static void make_up(struct made_up *m, enum why_verdict verdict, enum socket_state socket)
{
	*m = (struct made_up){
		.question = why_default_question(IPPROTO_TCP, 3000),
		.answer = { .verdict = verdict },
		.row = { .family = AF_INET,
			 .port = 3000,
			 .state = socket,
			 .uid = 0,
			 .timer_ms = 41200,
			 .since = 1000 },
	};
	m->rows[0] = &m->row;
	m->facts = (struct why_facts){ .question = &m->question,
				       .answer = &m->answer,
				       .shown = m->rows,
				       .n_shown = 1,
				       .viewer = 1000,
				       .now = 1000 + 5 * 86400 };
}

static void every_verdict_has_a_sentence_that_names_the_port(void **state)
{
	for (int v = 0; v < _WHY_VERDICT_MAX; v++) {
		struct made_up m;
		char text[WHY_SUMMARY_SIZE] = "";
		_cleanup_json_ struct json_object *remedies = json_object_new_array();

		make_up(&m, (enum why_verdict)v, SOCKET_LISTEN);
		why_summarize(&m.facts, text);
		assert_non_null(strstr(text, "Port 3000"));
		why_add_remedies(&m.facts, remedies);
		m.facts.n_shown = 0; /* nothing to name must not be a reason to fail */
		why_summarize(&m.facts, text);
		why_add_remedies(&m.facts, remedies);
	}
}

static void a_hidden_listener_is_told_with_its_user_and_age(void **state)
{
	struct made_up m;
	char text[WHY_SUMMARY_SIZE];

	make_up(&m, WHY_LISTENER, SOCKET_LISTEN);
	why_summarize(&m.facts, text);
	assert_string_equal(text, "Port 3000 is taken: a process of user root that is hidden from "
				  "here has been listening on it for 5 days.");
}

static void time_wait_is_told_with_what_is_left_of_it(void **state)
{
	struct made_up m;
	char text[WHY_SUMMARY_SIZE];
	_cleanup_json_ struct json_object *remedies = json_object_new_array();

	make_up(&m, WHY_TIME_WAIT, SOCKET_TIME_WAIT);
	why_summarize(&m.facts, text);
	assert_non_null(strstr(text, "taken for another 42 seconds"));
	why_add_remedies(&m.facts, remedies);
	assert_non_null(strstr(json_object_get_string(remedies),
			       "sudo ss -K -t state time-wait 'sport = :3000'"));
}

static void a_free_port_names_its_claim(void **state)
{
	struct made_up m;
	char text[WHY_SUMMARY_SIZE];

	make_up(&m, WHY_FREE, SOCKET_UNKNOWN);
	m.facts.claim = "myapp:web";
	m.facts.n_shown = 0;
	why_summarize(&m.facts, text);
	assert_string_equal(text, "Port 3000 is free. myapp:web owns the claim on it.");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_error_inside_is_never_the_clients_fault),
		cmocka_unit_test(an_age_is_told_in_its_largest_unit),
		cmocka_unit_test(every_verdict_has_a_sentence_that_names_the_port),
		cmocka_unit_test(a_hidden_listener_is_told_with_its_user_and_age),
		cmocka_unit_test(time_wait_is_told_with_what_is_left_of_it),
		cmocka_unit_test(a_free_port_names_its_claim),
	};

	return cmocka_run_group_tests_name("api/words", tests, NULL, NULL);
}
