/* SPDX-License-Identifier: MIT */
#include "cli/render/fit.h"
#include "cli/render/terminal.h"
#include "testing.h"
#include "unit/random.h"

#define TEXTS 40

static void in_locale(const char *locale)
{
	setenv("LC_ALL", locale, 1);
	render_setup(NULL);
}

static void free_all(char **texts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(texts[i]);
}

TEST(text_that_fits_stays_and_a_wider_one_loses_its_middle)
{
	const char *const texts[] = { "short", "a-name-that-is-too-long" };
	char *shown[2];

	in_locale("C.UTF-8");
	fit_texts(texts, 2, 11, shown);
	assert_null(shown[0]);
	assert_string_equal(shown[1], "a-nam…-long");
	free_all(shown, 2);
}

TEST(texts_alike_at_both_ends_show_where_they_differ)
{
	const char *const texts[] = { "project:stack-one:branch", "project:stack-two:branch" };
	const char *const locales[] = { "C.UTF-8", "C" };

	for (size_t i = 0; i < ARRAY_SIZE(locales); i++) {
		char *shown[2];

		in_locale(locales[i]);
		fit_texts(texts, 2, 8, shown);
		assert_non_null(strstr(shown[0], "-o"));
		assert_non_null(strstr(shown[1], "-t"));
		for (int j = 0; j < 2; j++)
			assert_true(terminal_width(shown[j], strchr(shown[j], '\0')) <= 8);
		free_all(shown, 2);
	}
}

TEST(texts_that_differ_never_look_alike)
{
	static const char *const parts[] = { "a", "é", "名前", "stack-one", "stack-two", "-", ":" };
	struct random_source random = random_start(__func__);

	for (int round = 0; round < 300; round++) {
		char texts[TEXTS][256] = { "" };
		const char *all[TEXTS];
		char *shown[TEXTS];

		in_locale(round % 2 ? "C.UTF-8" : "C");
		for (int i = 0; i < TEXTS; i++) {
			for (unsigned n = random_below(&random, 12) + 1; n > 0; n--)
				strcat(texts[i], parts[random_below(&random, ARRAY_SIZE(parts))]);
			all[i] = texts[i];
		}
		fit_texts(all, TEXTS, 8 + (int)random_below(&random, 30), shown);
		for (int i = 0; i < TEXTS; i++)
			for (int j = 0; j < i; j++)
				assert_int_equal(strcmp(texts[i], texts[j]) == 0,
						 strcmp(shown[i] ? shown[i] : texts[i],
							shown[j] ? shown[j] : texts[j]) == 0);
		free_all(shown, TEXTS);
	}
}

/* Name, process and age: the process is cut first, then the name, and the age left out early. */
static struct fit three_columns(void)
{
	return (struct fit){
		.columns = { { .width = 30 }, { .width = 20 }, { .width = 5 } },
		.flexible = { { 1, 12 }, { 0, 20 } },
		.droppable = { { 2, RENDER_DROP_EARLY }, { 1, RENDER_DROP_LATE } },
		.n_columns = 3,
		.n_flexible = 2,
		.n_droppable = 2,
	};
}

TEST(columns_are_cut_in_their_order_and_then_left_out)
{
	static const struct {
		int terminal, name, process; /* 0 = left out */
		bool age;
	} rows[] = {
		{ 59, 30, 20, true },  { 51, 30, 12, true },  { 41, 20, 12, true },
		{ 40, 26, 12, false }, { 34, 20, 12, false }, { 30, 20, 8, false },
		{ 18, 8, 8, false },   { 17, 17, 0, false },  { 8, 8, 0, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fit f = three_columns();

		fit_into(&f, rows[i].terminal);
		print_message("%d\n", rows[i].terminal);
		assert_int_equal(f.columns[0].width, rows[i].name);
		assert_int_equal(f.columns[1].hidden ? 0 : f.columns[1].width, rows[i].process);
		assert_int_equal(!f.columns[2].hidden, rows[i].age);
		assert_true(fit_width(&f) <= rows[i].terminal);
	}
}

TEST_MAIN(NULL, NULL)
