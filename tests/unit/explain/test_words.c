/* SPDX-License-Identifier: MIT */
/* The pure parts of answers: ages, summaries and remedies of made-up facts. */
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "explain/remedies.h"
#include "explain/template.h"
#include "explain/words.h"
#include "testing.h"
#include "unit/reconcile/situations.h"

TEST(an_age_is_told_in_its_largest_unit)
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
	struct socket_row row;
	struct why_owner owner;
	struct why_facts facts;
};

static void make_up(struct made_up *m, enum why_verdict verdict, enum socket_state socket)
{
	*m = (struct made_up){
		.row = { .family = AF_INET,
			 .port = 3000,
			 .state = socket,
			 .uid = 0,
			 .timer_ms = 41200,
			 .since = 1000 },
	};
	m->owner = (struct why_owner){ .bind = { .family = AF_INET, .state = socket },
				       .row = &m->row,
				       .timer_ms = 41200 };
	m->facts = (struct why_facts){ .question = why_default_question(IPPROTO_TCP, 3000),
				       .answer = { .verdict = verdict },
				       .netns = { .own = true },
				       .shown = { &m->owner },
				       .n_shown = 1,
				       .viewer = 1000,
				       .now = 1000 + 5 * 86400,
				       .their_user = "root" };
}

/* It is refused, to a process that is gone by now. */
static void make_recorded(struct made_up *m, int error)
{
	m->facts.question.caller = (struct process_id){ .pid = 1 << 22, .start_ticks = 1 };
	m->facts.question.error = error;
	m->facts.question.call = EVENT_CALL_BIND;
}

/* Its summary is whole, with every place filled, and about the port unless there is none. */
static void check_summary(struct made_up *m)
{
	const char *name = why_verdict_name(m->facts.answer.verdict), *text = m->facts.summary;
	bool names_port = m->facts.answer.verdict != WHY_EPHEMERAL_EXHAUSTED;

	why_summarize(&m->facts);
	if (names_port && !strcasestr(text, "port 3000"))
		fail_msg("%s: \"%s\" does not name the port", name, text);
	/* a place with nothing in it would leave two blanks, or one before a stop */
	if (strpbrk(text, "{}") || strstr(text, "  ") || strstr(text, " .") || strstr(text, " ,"))
		fail_msg("%s: \"%s\" has an empty place", name, text);
	if (!*text || text[strlen(text) - 1] != '.')
		fail_msg("%s: \"%s\" is no sentence", name, text);
}

TEST(every_verdict_has_a_sentence_that_names_the_port)
{
	for (int v = 0; v < _WHY_VERDICT_MAX; v++) {
		struct made_up m;

		make_up(&m, (enum why_verdict)v, SOCKET_LISTEN);
		check_summary(&m);
		m.facts.n_shown = 0; /* nothing to name must not be a reason to fail */
		check_summary(&m);
	}
}

TEST(every_verdict_has_a_sentence_about_what_was)
{
	for (int v = 0; v < _WHY_VERDICT_MAX; v++) {
		struct made_up m;

		make_up(&m, (enum why_verdict)v, SOCKET_LISTEN);
		make_recorded(&m, EADDRINUSE);
		check_summary(&m);
		if (strstr(m.facts.summary, "{is}") || strstr(m.facts.summary, " is taken"))
			fail_msg("%s: %s", why_verdict_name((enum why_verdict)v), m.facts.summary);
	}
}

/* Texts and commands in one string, a line each. */
static char *remedies_of(struct made_up *m)
{
	static char text[WHY_REMEDIES_MAX * (WHY_REMEDY_TEXT_SIZE + WHY_REMEDY_COMMAND_SIZE)];
	const struct why_remedies *remedies = &m->facts.remedies;
	size_t used = 0;

	*text = '\0';
	why_list_remedies(&m->facts);
	for (size_t i = 0; i < remedies->n; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s: %s\n",
					 remedies->list[i].text, remedies->list[i].command);
	return text;
}

TEST(every_refusal_has_one_to_three_remedies)
{
	for (int v = 0; v < _WHY_VERDICT_MAX; v++) {
		struct made_up m;
		size_t n;

		make_up(&m, (enum why_verdict)v, SOCKET_LISTEN);
		why_list_remedies(&m.facts);
		n = m.facts.remedies.n;
		/* a port that is free, or busy elsewhere by nobody who is seen, needs nothing */
		if (v != WHY_FREE && v != WHY_OTHER_NETNS && (n < 1 || n > WHY_REMEDIES_MAX))
			fail_msg("%s: %zu", why_verdict_name((enum why_verdict)v), n);
		if (strpbrk(remedies_of(&m), "{}"))
			fail_msg("%s: %s", why_verdict_name((enum why_verdict)v), remedies_of(&m));
	}
}

/* Nor a socket that is only bound: it would end what uses it, and not free the port. */
TEST(ss_never_closes_a_listener)
{
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(situations); i++) {
		enum socket_state owner = situations[i].owner.bind.state;
		struct made_up m;

		if (owner != SOCKET_LISTEN && owner != SOCKET_BOUND)
			continue;
		make_up(&m, situations[i].verdict, owner);
		if (strstr(remedies_of(&m), "ss -K"))
			fail_msg("%s: %s", why_verdict_name(situations[i].verdict),
				 remedies_of(&m));
		n++;
	}
	assert_true(n > 0);
}

TEST(a_connection_is_closed_and_its_program_lives)
{
	static const enum why_verdict verdicts[] = {
		WHY_CONN_OF_CLOSED_LISTENER,
		WHY_CONN_CLOSE_WAIT,
		WHY_OUTGOING_CONNECTION,
		WHY_CONN_REUSE_ONE_SIDED,
	};

	for (size_t i = 0; i < ARRAY_SIZE(verdicts); i++) {
		struct why_holder holder = { .known = true, .process.id.pid = getpid() };
		struct made_up m;

		make_up(&m, verdicts[i], SOCKET_ESTABLISHED);
		m.facts.holders = &holder;
		m.facts.n_holders = m.facts.n_foremost = 1;
		assert_null(strstr(remedies_of(&m), ": kill "));
		assert_non_null(
			strstr(remedies_of(&m), "sudo ss -K -t state connected 'sport = :3000'"));
	}
}

TEST(a_remedy_for_old_sockets_names_both_generations)
{
	static const enum why_verdict verdicts[] = {
		WHY_TIME_WAIT,
		WHY_TIME_WAIT_REUSE_ONE_SIDED,
		WHY_CONN_OF_CLOSED_LISTENER,
		WHY_CONN_REUSE_ONE_SIDED,
	};

	for (size_t i = 0; i < ARRAY_SIZE(verdicts); i++) {
		struct made_up m;

		make_up(&m, verdicts[i], SOCKET_TIME_WAIT);
		assert_non_null(strstr(remedies_of(&m), "both"));
	}
}

TEST(a_hidden_listener_is_told_with_its_user_and_age)
{
	struct made_up m;

	make_up(&m, WHY_LISTENER, SOCKET_LISTEN);
	why_summarize(&m.facts);
	assert_string_equal(m.facts.summary,
			    "Port 3000 is taken: a process of user root that is hidden from "
			    "here has been listening on it for 5 days.");
}

TEST(a_refusal_that_was_recorded_is_told_in_the_past)
{
	struct made_up m;

	make_up(&m, WHY_LISTENER, SOCKET_LISTEN);
	make_recorded(&m, EADDRINUSE);
	why_summarize(&m.facts);
	assert_string_equal(m.facts.summary,
			    "Port 3000 was taken: a process of user root that is hidden from "
			    "here had been listening on it for 5 days.");
}

TEST(time_wait_is_told_with_what_is_left_of_it)
{
	struct made_up m;

	make_up(&m, WHY_TIME_WAIT, SOCKET_TIME_WAIT);
	why_summarize(&m.facts);
	assert_non_null(strstr(m.facts.summary, "taken for another 42 seconds"));
	assert_non_null(strstr(remedies_of(&m), "sudo ss -K -t state time-wait 'sport = :3000'"));
}

TEST(a_free_port_names_its_claim)
{
	static char claim[] = "myapp:web";
	struct made_up m;

	make_up(&m, WHY_FREE, SOCKET_UNKNOWN);
	m.facts.claim = claim;
	m.facts.n_shown = 0;
	why_summarize(&m.facts);
	assert_string_equal(m.facts.summary, "Port 3000 is free. myapp:web owns the claim on it.");
}

TEST(what_is_missing_comes_with_the_command_that_supplies_it)
{
	struct made_up m;

	make_up(&m, WHY_UNKNOWN, SOCKET_LISTEN);
	strcpy(m.facts.missing, "the flags");
	strcpy(m.facts.lift, "let root start the daemon");
	strcpy(m.facts.missing_command, "sudo pd daemon start");
	assert_non_null(strstr(remedies_of(&m), "let root start the daemon"));
	assert_non_null(strstr(remedies_of(&m), ": sudo pd daemon start\n"));
}

TEST_MAIN(NULL, NULL)
