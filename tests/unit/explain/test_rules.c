/* SPDX-License-Identifier: MIT */
/* The kernel's rule behind each answer: a whole sentence that names the sockets that matter. */
#include "explain/words.h"
#include "unit/reconcile/situations.h"
#include "unit/reconcile/worlds.h"

#define RULE_MAX_CHARS 200
#define ROUNDS	       20000

/* Borrowed until the next call. */
static const char *rule_of(const struct why_question *q, const struct why_environment *e,
			   const struct why_answer *a)
{
	static struct why_facts f;

	f = (struct why_facts){ .question = *q, .answer = *a, .n_shown = a->n_blocking };
	if (e)
		f.environment = *e;
	memcpy(f.shown, a->blocking, a->n_blocking * sizeof(*f.shown));
	why_write_rule(&f);
	return f.rule;
}

static const char *check_rule(const struct why_question *q, const struct why_environment *e,
			      const struct why_answer *a)
{
	const char *rule = rule_of(q, e, a);
	size_t n = strlen(rule);

	if (n < 1 || n > RULE_MAX_CHARS || strpbrk(rule, "@{}"))
		print_error("%s: '%s' (%zu)\n", why_verdict_name(a->verdict), rule, n);
	assert_in_range(n, 1, RULE_MAX_CHARS);
	assert_int_equal(rule[n - 1], '.');
	assert_null(strpbrk(rule, "@{}"));
	return rule;
}

static const char *rule_of_world(const struct situation *s, struct world *w)
{
	struct why_answer a = explain_world(s, w);

	return check_rule(&w->question, &s->environment, &a);
}

TEST(every_situation_has_a_rule_in_one_sentence)
{
	for (size_t i = 0; i < ARRAY_SIZE(situations); i++) {
		struct world w;

		world_init(&situations[i], &w);
		rule_of_world(&situations[i], &w);
	}
}

TEST(every_refusal_has_a_rule_then_and_now)
{
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		const struct refusal *r = &refusals[i];
		struct why_question q = question_of_refusal(r);
		struct why_answer a = explain_unowned(&q, NULL, &r->environment);

		check_rule(&q, &r->environment, &a);
		q = question_before_refusal(r);
		a = explain_unowned(&q, NULL, &r->environment);
		check_rule(&q, &r->environment, &a);
	}
}

TEST(a_port_that_is_free_has_a_rule)
{
	struct socket_row row = { .protocol = IPPROTO_TCP, .state = SOCKET_LISTEN };
	struct why_question q = question_of(&plain);
	struct why_answer a;

	a = explain_unowned(&q, &row, NULL);
	assert_non_null(strstr(check_rule(&q, NULL, &a), "another network namespace"));
	q.error = EADDRINUSE;
	a = explain_unowned(&q, NULL, NULL);
	assert_non_null(strstr(check_rule(&q, NULL, &a), "would succeed now"));
}

TEST(without_the_table_the_rule_names_what_is_missing)
{
	for (size_t i = 0; i < ARRAY_SIZE(untold); i++) {
		struct why_answer a;
		struct world w;
		const char *rule;

		world_init_untold(&untold[i], &w);
		why_explain(&w.question, NULL, &w.owner, 1, NULL, 0, NULL, &a);
		rule = check_rule(&w.question, NULL, &a);
		if (untold[i].missing)
			assert_non_null(strstr(rule, untold[i].missing));
	}
}

TEST(rules_name_the_sockets_and_what_makes_them_meet)
{
	static const struct {
		struct situation situation;
		const char *words[3];
	} cases[] = {
		{ { WHY_LISTENER, "::", "::", LISTENS, FILE_OF_ONE },
		  { "[::]:3000", "SO_REUSEPORT" } },
		{ { WHY_LISTENER, "::", "127.0.0.1", LISTENS, FILE_OF_ONE },
		  { "127.0.0.1:3000", "every address" } },
		{ { WHY_LISTENER_WILDCARD_OVERLAP, "127.0.0.1", "0.0.0.0", LISTENS, FILE_OF_ONE },
		  { "0.0.0.0:3000, which covers", "127.0.0.1:3000" } },
		{ { WHY_LISTENER_WILDCARD_OVERLAP, "0.0.0.0", "127.0.0.1", LISTENS, FILE_OF_ONE },
		  { "listens on 127.0.0.1:3000", "0.0.0.0:3000 covers" } },
		{ { WHY_DUAL_STACK, "127.0.0.1", "::", LISTENS, FILE_OF_ONE },
		  { "[::]:3000", "V6ONLY", "127.0.0.1:3000" } },
		{ { WHY_DUAL_STACK, "::", "0.0.0.0", LISTENS, FILE_OF_ONE,
		    REFUSED(EVENT_CALL_BIND) },
		  { "0.0.0.0:3000", "[::]:3000", "V6ONLY" } },
		{ { WHY_REUSEPORT_UID, "::", "::", LISTENS, FILE_OF_ONE, .question.reuseport = true,
		    .question.uid = 12, .owner.bind.reuseport = true, .owner.bind.uid = 34 },
		  { "user id 34", "to 12" } },
		{ { WHY_OUTGOING_CONNECTION, "::", "127.0.0.1", RANGE,
		    .owner.bind = { .state = SOCKET_ESTABLISHED,
				    .inode = 7,
				    .file_refs = 1,
				    .connect_bound = true } },
		  { "from 32768 to 60999" } },
		{ { WHY_FREE, "127.0.0.1", "127.0.0.2", LISTENS, FILE_OF_ONE },
		  { "127.0.0.1:3000 is free", "do not overlap" } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *rule;
		struct world w;

		world_init(&cases[i].situation, &w);
		rule = rule_of_world(&cases[i].situation, &w);
		for (size_t k = 0; k < ARRAY_SIZE(cases[i].words) && cases[i].words[k]; k++) {
			if (!strstr(rule, cases[i].words[k]))
				print_error("'%s' lacks '%s'\n", rule, cases[i].words[k]);
			assert_non_null(strstr(rule, cases[i].words[k]));
		}
	}
}

TEST(the_longest_addresses_leave_a_whole_sentence)
{
	static const char longest[] = "1111:2222:3333:4444:5555:6666:7777:8888";

	for (size_t i = 0; i < ARRAY_SIZE(situations); i++) {
		struct situation s = situations[i];
		struct world w;

		world_init(&s, &w);
		w.owner.bind.addr = address(longest, &w.owner.bind.family);
		w.question.addr = w.owner.bind.addr;
		w.question.family = w.owner.bind.family;
		w.question.port = 65535;
		w.question.uid = w.owner.bind.uid = UINT32_MAX;
		w.owner.bind.uid = s.verdict == WHY_REUSEPORT_UID ? UINT32_MAX - 1 : UINT32_MAX;
		w.owned = w.owner.bind;
		rule_of_world(&s, &w);
	}
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		struct why_question q = question_of_refusal(&refusals[i]);
		struct why_answer a;

		q.addr = address(longest, &q.family);
		q.port = q.port ? 65535 : 0;
		why_explain(&q, NULL, NULL, 0, NULL, 0, &refusals[i].environment, &a);
	}
}

TEST(every_answer_in_a_random_world_has_a_rule_in_one_sentence)
{
	static struct random_world w;

	w.random = random_start(__func__);
	for (int i = 0; i < ROUNDS; i++) {
		struct why_answer a;

		random_world_fill(&w);
		a = random_world_explain(&w);
		check_rule(&w.question, &w.environment, &a);
	}
}

TEST_MAIN(NULL, NULL)
