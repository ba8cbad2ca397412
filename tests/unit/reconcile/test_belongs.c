/* SPDX-License-Identifier: MIT */
/* Which claim a process fits, and which claim or session whoever asks means. */
#include "processes.h"

#include <string.h>

#include "reconcile/belongs.h"

/* --- which processes fit --------------------------------------------------------------------- */

TEST(a_descendant_of_the_claimer_fits)
{
	struct service claim = claim_of_shell();

	claim.sid = 0;
	claim.cwd = "";
	assert_true(belongs_to_claim(&claim, process(SHELL)));
	assert_true(belongs_to_claim(&claim, process(SERVER)));
	assert_false(belongs_to_claim(&claim, process(STRANGER)));
}

TEST(a_process_of_the_same_session_fits)
{
	struct service claim = claim_of_shell();

	claim.claimer.pid = 0;
	claim.cwd = "";
	assert_true(belongs_to_claim(&claim, process(CHILD)));
	assert_false(belongs_to_claim(&claim, process(STRANGER)));
}

TEST(a_process_in_the_directory_or_below_fits)
{
	static const struct {
		const char *claim, *process;
		bool fits;
	} cases[] = {
		{ "/work", "/work", true },
		{ "/work", "/work/sub/dir", true },
		{ "/work", "/workshop", false },
		{ "/work", "/wor", false },
		{ "/work", "/", false },
		{ "/work/", "/work", true },
		{ "/work/", "/work/sub", true },
		{ "/", "/anything", true },
		{ "/", "/", true },
		{ "/work", "/home/work", false },
		{ "/work", "/work (deleted)", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct service claim = { .uid = ME, .cwd = cases[i].claim };
		struct process p = { .id = { 50, 1 }, .uid = ME };

		strcpy(p.cwd, cases[i].process);
		assert_int_equal(belongs_to_claim(&claim, &p), cases[i].fits);
	}
}

TEST(another_users_process_never_fits)
{
	struct service claim = claim_of_shell();
	struct process p = *process(SERVER);

	p.uid = OTHER;
	strcpy(p.cwd, "/work");
	assert_false(belongs_to_claim(&claim, &p));
	p.uid = 0;
	assert_false(belongs_to_claim(&claim, &p));
	p.uid = PROCESS_UID_UNKNOWN;
	assert_false(belongs_to_claim(&claim, &p));
}

TEST(a_reused_pid_is_not_the_claimer)
{
	struct service claim = claim_of_shell();
	struct process p = { .id = { SHELL, 77 }, .uid = ME, .sid = 99, .cwd = "/elsewhere" };

	assert_false(belongs_to_claim(&claim, &p));
	p.id.pid = 50;
	p.n_ancestors = 1;
	p.ancestors[0].id = (struct process_id){ SHELL, 77 };
	assert_false(belongs_to_claim(&claim, &p));
	p.ancestors[0].id.start_ticks = 1;
	assert_true(belongs_to_claim(&claim, &p));
}

TEST(pids_of_another_boot_mean_nothing)
{
	struct service claim = claim_of_shell();

	claim.same_boot = false;
	assert_false(belongs_to_claim(&claim, process(SERVER)));
	claim.cwd = "/srv";
	assert_true(belongs_to_claim(&claim, process(SERVER)));
}

TEST(where_nothing_can_be_compared_the_user_decides)
{
	struct service claim = claim_of_shell();
	struct process p = { .id = { 50, 1 }, .uid = ME };

	assert_true(belongs_to_claim(&claim, &p));
	p.sid = 99; /* known, and another session */
	assert_false(belongs_to_claim(&claim, &p));
	claim.same_boot = false; /* sessions of two boots cannot be compared */
	assert_true(belongs_to_claim(&claim, &p));
	strcpy(p.cwd, "/elsewhere");
	assert_false(belongs_to_claim(&claim, &p));
	claim.cwd = NULL;
	assert_true(belongs_to_claim(&claim, &p));
}

TEST(a_directory_whose_beginning_was_cut_is_unknown)
{
	struct service claim = { .uid = ME, .cwd = "/work" };
	struct process p = { .id = { 50, 1 }, .uid = ME, .cwd = "\xE2\x80\xA6/deep/down" };

	assert_true(belongs_to_claim(&claim, &p));
	claim.cwd = "\xE2\x80\xA6/deep/down";
	claim.same_boot = true;
	claim.sid = 1;
	p.sid = 2;
	assert_true(belongs_to_claim(&claim, &p));
	claim.cwd = "/work";
	assert_false(belongs_to_claim(&claim, &p));
}

/* --- generations ----------------------------------------------------------------------------- */

TEST(generations_are_counted_from_the_process_itself)
{
	const struct process child = { .id = { 50, 9 },
				       .n_ancestors = 2,
				       .ancestors = { { { SERVER, 5 } }, { { SHELL, 1 } } } };
	const struct process_id reused = { SHELL, 2 }, unknown = { 0 };

	assert_int_equal(belongs_generation(&child, &child.id), 0);
	assert_int_equal(belongs_generation(&child, &process(SERVER)->id), 1);
	assert_int_equal(belongs_generation(&child, &process(SHELL)->id), 2);
	assert_int_equal(belongs_generation(&child, &process(STRANGER)->id), -1);
	assert_int_equal(belongs_generation(&child, &reused), -1);
	assert_int_equal(belongs_generation(&(struct process){ 0 }, &unknown), -1);
}

/* --- what is meant --------------------------------------------------------------------------- */

/* pd, which the server (20) of the shell (10) runs on pts/3 in /work. */
static const struct process pd = { .id = { 60, 9 },
				   .uid = ME,
				   .sid = SHELL,
				   .n_ancestors = 2,
				   .ancestors = { { { SERVER, 5 } }, { { SHELL, 1 } } } };
static const struct belongs_asker asker = { &pd, "pts/3", "/work" };

TEST(the_nearest_tie_decides)
{
	static const struct {
		const char *situation;
		struct belongs_basis basis;
		int near;
	} cases[] = {
		{ "stands on its parent", { { SERVER, 5 }, 0, "", "" }, 1 },
		{ "stands on its shell", { { SHELL, 1 }, 0, "", "" }, 2 },
		{ "all at once: the process", { { SHELL, 1 }, SHELL, "pts/3", "/work" }, 2 },
		{ "stands on itself", { { 60, 9 }, 0, "", "" }, BELONGS_NOT },
		{ "another with its shell's pid", { { SHELL, 2 }, 0, "", "" }, BELONGS_NOT },
		{ "its session", { { STRANGER, 8 }, SHELL, "pts/3", "/work" }, BELONGS_BY_SID },
		{ "another session", { { STRANGER, 8 }, STRANGER, "", "" }, BELONGS_NOT },
		{ "its terminal", { { 0 }, 0, "pts/3", "/work" }, BELONGS_BY_TERMINAL },
		{ "another terminal", { { 0 }, 0, "pts/4", "" }, BELONGS_NOT },
		{ "its directory", { { 0 }, 0, "pts/4", "/work" }, BELONGS_BY_DIRECTORY },
		{ "one above it", { { 0 }, 0, "", "/" }, BELONGS_NOT },
		{ "one below it", { { 0 }, 0, "", "/work/sub" }, BELONGS_NOT },
		{ "left, its directory",
		  { { 0 }, 0, "", "/work", true },
		  BELONGS_BY_DIRECTORY_LEFT },
		{ "left: nothing else counts",
		  { { SHELL, 1 }, SHELL, "pts/3", "", true },
		  BELONGS_NOT },
		{ "nothing is known", { { 0 }, 0, "", "" }, BELONGS_NOT },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if ((int)belongs_nearness(&asker, &cases[i].basis) != cases[i].near)
			fail_msg("%s: %d", cases[i].situation,
				 belongs_nearness(&asker, &cases[i].basis));
}

TEST(what_is_unknown_of_both_is_no_tie)
{
	static const struct process invisible;
	const struct belongs_asker nobody = { &invisible, "", "" };
	const struct belongs_basis unknown = { .tty = "", .cwd = "" },
				   left = { .tty = "", .cwd = "", .left = true };

	assert_int_equal(belongs_nearness(&nobody, &unknown), BELONGS_NOT);
	assert_int_equal(belongs_nearness(&nobody, &left), BELONGS_NOT);
}

TEST(the_nearest_are_counted)
{
	struct belongs_nearest nearest = { .near = BELONGS_NOT };

	assert_false(belongs_is_nearest(&nearest, BELONGS_NOT));
	assert_true(belongs_is_nearest(&nearest, BELONGS_BY_DIRECTORY));
	assert_true(belongs_is_nearest(&nearest, BELONGS_BY_DIRECTORY));
	assert_int_equal(nearest.n, 2);
	assert_true(belongs_is_nearest(&nearest, BELONGS_BY_ANCESTOR));
	assert_int_equal(nearest.n, 1);
	assert_false(belongs_is_nearest(&nearest, BELONGS_BY_TERMINAL));
	assert_int_equal(nearest.n, 1);
	assert_int_equal(nearest.near, BELONGS_BY_ANCESTOR);
}

TEST_MAIN(NULL, NULL)
