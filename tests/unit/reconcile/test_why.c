/* SPDX-License-Identifier: MIT */
/* Each situation and each refusal has its verdict, and each verdict its situation or its
 * case. */
#include <stdio.h>
#include <unistd.h>

#include "unit/reconcile/situations.h"

TEST(each_situation_has_its_verdict)
{
	for (size_t i = 0; i < ARRAY_SIZE(situations); i++) {
		const struct situation *s = &situations[i];
		bool free = s->verdict == WHY_FREE;
		struct world w;
		struct why_answer a;

		world_init(s, &w);
		a = explain_world(s, &w);
		if (a.verdict != s->verdict)
			print_error("situation %zu, %s against %s: %s, not %s\n", i, s->asked,
				    s->owned, why_verdict_name(a.verdict),
				    why_verdict_name(s->verdict));
		assert_int_equal(a.verdict, s->verdict);
		assert_int_equal(a.free, free);
		assert_int_equal(a.error, free ? 0 : EADDRINUSE);
		assert_int_equal(a.n_blocking, free ? 0 : 1);
		if (!free)
			assert_ptr_equal(a.blocking[0], &w.owner);
	}
}

/* --- refusals that no owner explains --- */

TEST(each_refusal_without_an_owner_has_its_verdict)
{
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		const struct refusal *r = &refusals[i];
		struct why_question q = question_of_refusal(r);
		struct why_answer a = explain_unowned(&q, NULL, &r->environment);

		if (a.verdict != r->verdict)
			print_error("refusal %zu: %s\n", i, why_verdict_name(a.verdict));
		assert_int_equal(a.verdict, r->verdict);
		assert_int_equal(a.error, r->error);
		assert_false(a.free);
		assert_int_equal(a.n_blocking, 0);
	}
}

TEST(what_refuses_before_the_owners_is_foreseen)
{
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		const struct refusal *r = &refusals[i];
		struct why_question q = question_before_refusal(r);
		struct why_answer a = explain_unowned(&q, NULL, &r->environment);

		assert_int_equal(a.verdict, r->now);
		assert_int_equal(a.error, r->now == WHY_FREE ? 0 : r->error);
		assert_int_equal(a.free, r->now == WHY_FREE);
	}
}

/* With real processes, by the case that has its name. */
static bool is_played(enum why_verdict v)
{
	char path[128];

	snprintf(path, sizeof(path), "tests/cases/%s.c", why_verdict_name(v));
	return access(path, R_OK) == 0;
}

TEST(every_verdict_is_given_by_some_situation)
{
	bool seen[_WHY_VERDICT_MAX] = { [WHY_OTHER_NETNS] = true, [WHY_GONE] = true };

	for (size_t i = 0; i < ARRAY_SIZE(situations); i++)
		seen[situations[i].verdict] = true;
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++)
		seen[refusals[i].verdict] = true;
	for (int v = 0; v < _WHY_VERDICT_MAX; v++) {
		if (!seen[v] && !is_played((enum why_verdict)v))
			fail_msg("%s is never given", why_verdict_name((enum why_verdict)v));
	}
}

TEST_MAIN(NULL, NULL)
