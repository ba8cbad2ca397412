/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "cli/arguments/options.h"
#include "testing.h"
#include "unit/random.h"

#define WORDS_MAX 16
#define ROUNDS	  20000

static const struct command give = {
	.name = "give",
	.arguments = "[THING]",
	.max_args = 1,
	.options = { { "port", 'p', "PORT", "" }, { "force", 'f', NULL, "" }, { NULL } },
};

static const struct command take = {
	.name = "take",
	.arguments = "WHAT…",
	.min_args = 1,
	.max_args = -1,
	.options = { { "from", 0, "WHERE", "", .repeats = true },
		     { "to", 0, "WHERE", "" },
		     { NULL } },
};

static const struct command await = {
	.name = "await",
	.arguments = "WHAT",
	.min_args = 1,
	.max_args = 1,
	.options = { { "wait", 0, "[=DUR]", "" }, { NULL } },
};

static const struct command *const table[] = { &give, &take, &await, NULL };

struct parsed {
	char *argv[WORDS_MAX];
	struct options options;
	char error[256];
	int result;
};

/* Parses "pd" and the words up to NULL. */
static struct parsed *parse(const char *first, ...)
{
	static struct parsed p;
	va_list words;
	int n = 1;

	memset(&p, 0, sizeof(p));
	p.argv[0] = (char *)"pd";
	va_start(words, first);
	for (const char *w = first; w; w = va_arg(words, const char *))
		p.argv[n++] = (char *)w;
	va_end(words);
	p.result = options_parse(n, p.argv, table, &p.options, p.error, sizeof(p.error));
	return &p;
}

static void refused(const struct parsed *p, const char *word)
{
	assert_int_equal(p->result, -EINVAL);
	if (!strstr(p->error, word))
		fail_msg("'%s' does not say '%s'", p->error, word);
}

static const char *value(const struct parsed *p, const char *name)
{
	return command_value(&p->options.line, name);
}

static const char *value_at(const struct parsed *p, const char *name, int n)
{
	return command_value_at(&p->options.line, name, n);
}

TEST(every_value_of_an_option_that_may_come_again_counts)
{
	struct parsed *p = parse("take", "--from", "a", "this", "--from=b", "--to", "c", NULL);

	assert_int_equal(p->result, 0);
	assert_string_equal(value_at(p, "from", 0), "a");
	assert_string_equal(value_at(p, "from", 1), "b");
	assert_null(value_at(p, "from", 2));
	assert_null(value_at(p, "to", 0));
	assert_string_equal(value(p, "from"), "b");
}

TEST(option_that_comes_too_often_is_refused)
{
	char *argv[2 * COMMAND_REPEATS_MAX + 5] = { (char *)"pd", (char *)"take", (char *)"x" };
	struct options options;
	char error[256];
	int n = 3;

	for (int i = 0; i <= COMMAND_REPEATS_MAX; i++) {
		argv[n++] = (char *)"--from";
		argv[n++] = (char *)"here";
	}
	assert_int_equal(options_parse(n, argv, table, &options, error, sizeof(error)), -EINVAL);
	assert_non_null(strstr(error, "32 times"));
}

TEST(value_of_an_option_comes_in_four_spellings)
{
	const char *const spellings[][2] = {
		{ "--port=30", NULL }, { "--port", "30" }, { "-p30", NULL }, { "-p", "30" }
	};

	for (size_t i = 0; i < ARRAY_SIZE(spellings); i++) {
		struct parsed *p = parse("give", spellings[i][0], spellings[i][1], NULL);

		assert_int_equal(p->result, 0);
		assert_string_equal(value(p, "port"), "30");
		assert_null(value(p, "force"));
		assert_int_equal(p->options.line.n_args, 0);
	}
}

TEST(letters_can_stand_together_and_the_last_one_takes_the_value)
{
	struct parsed *p = parse("give", "-qfp30", "x", NULL);

	assert_int_equal(p->result, 0);
	assert_true(p->options.line.quiet);
	assert_string_equal(value(p, "force"), "");
	assert_string_equal(value(p, "port"), "30");
	assert_string_equal(p->options.line.args[0], "x");
}

TEST(options_may_stand_before_the_command_and_behind_the_operands)
{
	struct parsed *p = parse("-j", "--color", "never", "give", "x", "-f", NULL);

	assert_int_equal(p->result, 0);
	assert_ptr_equal(p->options.line.command, &give);
	assert_true(p->options.line.json);
	assert_string_equal(p->options.color, "never");
	assert_int_equal(p->options.line.n_args, 1);
	assert_string_equal(value(p, "force"), "");
}

TEST(two_dashes_end_the_options)
{
	struct parsed *p = parse("take", "a", "--", "-j", "--", "--port", NULL);

	assert_int_equal(p->result, 0);
	assert_false(p->options.line.json);
	assert_int_equal(p->options.line.n_args, 4);
	assert_string_equal(p->options.line.args[1], "-j");
	assert_string_equal(p->options.line.args[2], "--");
	assert_string_equal(p->options.line.args[3], "--port");
}

TEST(single_dash_and_empty_word_are_operands)
{
	struct parsed *p = parse("take", "-", "", NULL);

	assert_int_equal(p->result, 0);
	assert_int_equal(p->options.line.n_args, 2);
	assert_string_equal(p->options.line.args[0], "-");
	assert_string_equal(p->options.line.args[1], "");
}

TEST(value_may_look_like_an_option)
{
	assert_string_equal(value(parse("give", "-p", "-1", NULL), "port"), "-1");
}

TEST(abbreviation_of_an_option_is_refused_with_the_whole_name)
{
	refused(parse("give", "--por", "3", NULL), "--port");
	refused(parse("give", "--js", NULL), "unknown option --js");
}

TEST(faults_name_the_thing)
{
	refused(parse("giv", NULL), "did you mean: pd give");
	refused(parse("zzzzzzzz", NULL), "'zzzzzzzz'");
	refused(parse("give", "--frce", NULL), "--force");
	refused(parse("give", "-x", NULL), "-x");
	refused(parse("give", "--port", NULL), "--port needs a value");
	refused(parse("give", "-p", NULL), "-p needs a value");
	refused(parse("give", "--force=yes", NULL), "--force takes no value");
	refused(parse("give", "--color=pink", NULL), "'pink'");
	refused(parse("give", "a", "b", NULL), "'b' is one argument too many");
	refused(parse("take", NULL), "WHAT");
	refused(parse("take", "--port", "3", "x", NULL), "--port");
}

TEST(help_asks_for_no_operands)
{
	struct parsed *p = parse("take", "--help", NULL);

	assert_int_equal(p->result, 0);
	assert_true(p->options.help);
}

TEST(json_is_recognised_in_a_faulty_line)
{
	char *const before[] = { (char *)"pd", (char *)"giv", (char *)"--json" };
	char *const behind[] = { (char *)"pd", (char *)"giv", (char *)"--", (char *)"-j" };

	assert_true(options_want_json(3, before));
	assert_false(options_want_json(4, behind));
}

TEST(faults_know_the_command_that_they_belong_to)
{
	assert_ptr_equal(parse("give", "--nope", NULL)->options.line.command, &give);
	assert_null(parse("--nope", "give", NULL)->options.line.command);
}

TEST(any_words_are_taken_or_refused_with_a_sentence)
{
	static const char *const words[] = { "give", "take", "--port",	"-p",	   "-pf",   "-fp",
					     "--",   "-",    "",	"-j",	   "--x",   "--=",
					     "-jq",  "x",    "--port=", "--color", "never", "-h" };
	struct random_source random = random_start(__func__);

	for (int round = 0; round < ROUNDS; round++) {
		char *argv[WORDS_MAX] = { (char *)"pd" };
		int argc = 1 + (int)random_below(&random, WORDS_MAX - 1);
		struct options options;
		char error[256] = "";
		int e;

		for (int i = 1; i < argc; i++)
			argv[i] = (char *)words[random_below(&random, ARRAY_SIZE(words))];
		e = options_parse(argc, argv, table, &options, error, sizeof(error));
		if (e < 0)
			assert_true(*error);
		else
			assert_in_range(options.line.n_args, 0, argc - 1);
	}
}

/* --- the options of why: what they mean together is checked before a daemon is asked --- */

static int run_why(const char *first, ...)
{
	const struct command *const only_why[] = { &cmd_why, NULL };
	char *argv[WORDS_MAX] = { (char *)"pd", (char *)"why" };
	struct options options;
	char error[256] = "";
	va_list words;
	int n = 2;

	va_start(words, first);
	for (const char *w = first; w; w = va_arg(words, const char *))
		argv[n++] = (char *)w;
	va_end(words);
	assert_int_equal(setenv("PORT_DADDY_SOCKET", "/nonexistent/pd.sock", 1), 0);
	assert_int_equal(setenv("PORT_DADDY_NO_AUTOSTART", "1", 1), 0);
	if (options_parse(n, argv, only_why, &options, error, sizeof(error)) < 0)
		return 2;
	return cmd_why.run(&options.line);
}

TEST(why_asks_the_daemon_what_makes_sense)
{
	/* 3: nobody answers, so it was asked */
	assert_int_equal(run_why("3000", NULL), 3);
	assert_int_equal(run_why("3000", "--udp", "--reuseaddr", "--reuseport", NULL), 3);
	assert_int_equal(run_why("3000", "--v6only", NULL), 3);
	assert_int_equal(run_why("3000", "--v6only", "--addr", "::1", NULL), 3);
	assert_int_equal(run_why("3000", "--dev", "lo", "--uid", "0", NULL), 3);
	assert_int_equal(run_why("3000", "--uid", "root", NULL), 3);
	assert_int_equal(run_why("3000", "--netns", "1", NULL), 3);
	assert_int_equal(run_why(NULL), 3);
	assert_int_equal(run_why("--pid", "4711", "--last", "50", NULL), 3);
}

TEST(why_refuses_what_makes_no_sense_before_it_asks)
{
	static const char *const lines[][4] = {
		{ "0" },
		{ "65536" },
		{ "http/x" },
		{ ":http" },
		{ "3000", "--addr", "300.1.1.1" },
		{ "3000", "--addr=127.0.0.1", "--v6only" },
		{ "3000", "--uid", "nosuchuser-" },
		{ "3000", "--uid", "-1" },
		{ "3000", "--uid", "4294967295" },
		{ "3000", "--uid", "" },
		{ "3000", "--dev", "nosuchdev0" },
		{ "3000", "--netns", "nosuchname" },
		{ "3000", "--netns", "4194304" },
		{ "3000", "--netns", "../netns" },
		{ "3000", "--netns", "" },
		{ "3000", "--pid", "1" },
		{ "3000", "--last", "1" },
		{ "--udp" },
		{ "--reuseaddr" },
		{ "--netns", "1" },
		{ "--pid", "0" },
		{ "--pid", "x" },
		{ "--last", "51" },
		{ "--last", "-1" },
		{ "3000", "3001" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		if (run_why(lines[i][0], lines[i][1], lines[i][2], lines[i][3], NULL) != 2)
			fail_msg("%s %s: not refused", lines[i][0], lines[i][1] ? lines[i][1] : "");
}

TEST(duration_that_may_follow_is_taken_as_a_word_too)
{
	assert_string_equal(value(parse("await", "it", "--wait=2s", NULL), "wait"), "2s");
	assert_string_equal(value(parse("await", "it", "--wait", "2s", NULL), "wait"), "2s");
	assert_string_equal(value(parse("await", "it", "--wait", NULL), "wait"), "");
	assert_string_equal(value(parse("await", "--wait", "it", NULL), "wait"), "");
	assert_string_equal(parse("await", "--wait", "it", NULL)->options.line.args[0], "it");
	refused(parse("await", "--wait", "2s", NULL), "missing");
}

TEST_MAIN(NULL, NULL)
