/* SPDX-License-Identifier: MIT */
#include <unistd.h>

#include <json-c/json.h>

#include "cli/client/answer.h"
#include "cli/render/render.h"
#include "testing.h"

#define CAPTURE_SIZE 4096

/* What a function prints on stdout, which is a file meanwhile. */
static const char *captured(void (*print)(void))
{
	static char text[CAPTURE_SIZE];
	_cleanup_file_ FILE *file = tmpfile();
	int before;
	ssize_t n;

	assert_non_null(file);
	fflush(stdout);
	before = dup(STDOUT_FILENO);
	dup2(fileno(file), STDOUT_FILENO);
	print();
	fflush(stdout);
	dup2(before, STDOUT_FILENO);
	close(before);
	n = pread(fileno(file), text, sizeof(text) - 1, 0);
	assert_true(n >= 0);
	text[n] = '\0';
	return text;
}

static void in_locale(const char *locale, const char *color)
{
	setenv("LC_ALL", locale, 1);
	unsetenv("NO_COLOR");
	render_setup(color);
}

static void print_table(void)
{
	static const char *const headings[] = { "Service", "Process", "Status" };
	struct render_table *t = render_table_new(headings, 3);

	render_table_flexible(t, 1, 8);
	render_table_cell(t, TONE_PLAIN, "%s", "myapp:web");
	render_table_cell(t, TONE_PLAIN, "%s", "ev\033[31mil\n\xC2\x9B\xE2\x80\xAE");
	render_table_cell(t, TONE_GOOD, "%s", "active");
	render_table_cell(t, TONE_PLAIN, "%s", "x");
	render_table_cell(t, TONE_PLAIN, "%s", "");
	render_table_cell(t, TONE_BAD, "%s", "gh\xC3\xB6st");
	render_table_print(t);
}

TEST(table_in_a_file_is_plain_whole_and_one_line_a_row)
{
	const char *text;
	int lines = 0;

	in_locale("C.UTF-8", NULL);
	text = captured(print_table);
	for (const char *c = text; *c; c++)
		lines += *c == '\n';
	assert_int_equal(lines, 4);
	assert_null(strchr(text, '\033'));
	assert_null(strstr(text, "\xC2\x9B"));
	assert_null(strstr(text, "\xE2\x80\xAE"));
	assert_non_null(strstr(text, "ev\\e[31mil\\n"));
	assert_non_null(strstr(text, "\nx          -"));
	assert_non_null(strstr(text, "gh\xC3\xB6st\n"));
	assert_non_null(strstr(text, "─"));
}

static void print_aligned(void)
{
	static const char *const headings[] = { "Name", "Port", "Namespace" };
	struct render_table *t = render_table_new(headings, 3);

	render_table_right(t, 1);
	render_table_optional(t, 2);
	render_table_text(t, TONE_PLAIN, "gh\xC3\xB6st\n");
	render_table_text(t, TONE_DIM, "80");
	render_table_text(t, TONE_PLAIN, "");
	render_table_text(t, TONE_DIM, "b");
	render_table_text(t, TONE_PLAIN, "65535");
	render_table_text(t, TONE_PLAIN, "");
	render_table_print(t);
}

TEST(table_is_laid_out_by_what_its_cells_fill_on_the_screen)
{
	in_locale("C.UTF-8", NULL);
	assert_string_equal(captured(print_aligned), "Name      Port\n"
						     "──────────────\n"
						     "gh\xC3\xB6st\\n     80\n"
						     "b        65535\n");
	in_locale("C.UTF-8", "always");
	assert_non_null(strstr(captured(print_aligned), "\n\033[2mb      \033[0m  65535\n"));
}

TEST(table_is_ascii_where_the_locale_is_not_utf8)
{
	const char *text;

	in_locale("C", NULL);
	text = captured(print_table);
	for (const char *c = text; *c; c++)
		assert_true((*c >= 0x20 && *c < 0x7f) || *c == '\n');
	assert_non_null(strstr(text, "\n-----"));
	assert_non_null(strstr(text, "gh\\xc3\\xb6st"));
}

TEST(colors_come_when_they_are_asked_for)
{
	in_locale("C.UTF-8", "always");
	assert_non_null(strstr(captured(print_table), "\033[32mactive\033[0m"));
	in_locale("C.UTF-8", "never");
	assert_null(strchr(captured(print_table), '\033'));
	setenv("NO_COLOR", "1", 1);
	render_setup("always");
	assert_non_null(strchr(captured(print_table), '\033'));
}

TEST(signs_are_words_where_the_locale_is_not_utf8)
{
	in_locale("C", NULL);
	assert_string_equal(render_sign(TONE_GOOD), "ok");
	assert_string_equal(render_sign(TONE_WARN), "!");
	assert_string_equal(render_sign(TONE_BAD), "x");
	in_locale("C.UTF-8", NULL);
	assert_string_equal(render_sign(TONE_GOOD), "✅");
}

TEST(uninstalled_utf8_locale_still_means_utf8)
{
	in_locale("xx_XX.UTF-8", NULL);
	assert_true(render_is_utf8());
}

static void print_field(void)
{
	render_field("Kernel", TONE_WARN, true, "%s", "a\nb");
}

TEST(field_has_its_sign_and_stays_on_its_line)
{
	in_locale("C", NULL);
	assert_string_equal(captured(print_field), "Kernel:     ! a\\nb\n");
}

static void print_both_ports(void)
{
	render_text(TONE_PLAIN, "Port 4000→9731 of caf\xC3\xA9");
}

TEST(arrow_between_two_ports_is_one_in_every_locale)
{
	in_locale("C", NULL);
	assert_string_equal(captured(print_both_ports), "Port 4000->9731 of caf\\xc3\\xa9");
	in_locale("C.UTF-8", NULL);
	assert_string_equal(captured(print_both_ports), "Port 4000→9731 of caf\xC3\xA9");
}

static const char hostile[] = "\033[2J\n\x7f\xC2\x9B\xE2\x80\xAE\xE2\x81\xA6 \xC3\xA9\xE2\x82\xAC"
			      "\xF0\x9F\x98\x80 /\"\\";

static void print_json(void)
{
	_cleanup_(answer_freep) struct json_object *o = json_object_new_object();

	json_object_object_add(o, "text", json_object_new_string(hostile));
	render_json(o);
}

TEST(json_has_no_byte_that_commands_a_terminal_and_means_the_same)
{
	_cleanup_(answer_freep) struct json_object *o = NULL;
	const char *text;

	in_locale("C.UTF-8", NULL);
	text = captured(print_json);
	assert_null(strchr(text, '\033'));
	assert_null(strchr(text, 0x7f));
	assert_null(strstr(text, "\xC2\x9B"));
	assert_null(strstr(text, "\xE2\x80\xAE"));
	assert_null(strstr(text, "\xE2\x81\xA6"));
	assert_non_null(strstr(text, "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80 /"));
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
	o = json_tokener_parse(text);
	assert_string_equal(answer_text(o, "text"), hostile);
}

TEST(error_object_has_the_code_and_valid_text)
{
	_cleanup_(answer_freep) struct json_object *o = render_error_object(OUTCOME_CONFLICT,
									    "'caf\xe9' is taken");
	struct json_object *error = answer_member(o, "error");

	assert_false(answer_bool(o, "ok"));
	assert_int_equal(answer_int(o, "version"), 1);
	assert_string_equal(answer_text(error, "code"), "conflict");
	assert_string_equal(answer_text(error, "message"), "'caf\xEF\xBF\xBD' is taken");
}

TEST(members_of_another_type_read_as_empty)
{
	_cleanup_(answer_freep) struct json_object *o =
		json_tokener_parse("{\"n\": null, \"s\": 5, \"i\": \"x\", \"b\": 1, \"l\": {}}");

	assert_false(answer_has(o, "n"));
	assert_string_equal(answer_text(o, "s"), "");
	assert_int_equal(answer_int(o, "i"), 0);
	assert_false(answer_bool(o, "b"));
	assert_int_equal(answer_length(answer_member(o, "l")), 0);
	assert_int_equal(answer_length(NULL), 0);
	assert_string_equal(answer_text(NULL, "s"), "");
	assert_non_null(answer_error_message(o));
}

TEST(many_pids_are_cut_and_counted)
{
	_cleanup_(answer_freep) struct json_object *o =
		json_tokener_parse("{\"pids\": [1, 22, 333, 4, 5], \"one\": [7], \"none\": []}");
	char text[64];

	assert_string_equal(answer_pids(o, "pids", text, sizeof(text)), "1,22,333,+2");
	assert_string_equal(answer_pids(o, "one", text, sizeof(text)), "7");
	assert_string_equal(answer_pids(o, "none", text, sizeof(text)), "");
	assert_string_equal(answer_pids(o, "pids", text, 4), "1,2");
}

TEST_MAIN(NULL, NULL)
