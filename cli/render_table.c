/* SPDX-License-Identifier: MIT */
#include "cli/render.h"

#include <libsmartcols/libsmartcols.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#include "base/cleanup.h"
#include "cli/terminal.h"

#define COLUMN_SEPARATOR "  "
#define FLEXIBLE_MAX	 2 /* columns that may be cut: the process, then the service */

struct render_table {
	struct libscols_table *table;
	struct libscols_line *line;
	int n_columns, next;
	int flexible[FLEXIBLE_MAX];
	int n_flexible;
};

/* No memory for a table of a few kilobytes: nothing sensible is left to be done. */
static void *must(void *p)
{
	if (!p) {
		fputs("pd: out of memory\n", stderr);
		exit(outcome_row(OUTCOME_FAILED)->exit_code);
	}
	return p;
}

struct render_table *render_table_new(const char *const *headings, int n_columns)
{
	struct render_table *t = must(calloc(1, sizeof(*t)));

	t->table = must(scols_new_table());
	t->n_columns = n_columns;
	t->next = n_columns;
	/* The cells are escaped before they come here; a second escaping would double it. */
	scols_table_enable_noencoding(t->table, 1);
	scols_table_enable_colors(t->table, terminal_has_colors());
	scols_table_set_column_separator(t->table, COLUMN_SEPARATOR);
	for (int i = 0; i < n_columns; i++)
		must(scols_table_new_column(t->table, headings[i], 0, 0));
	return t;
}

static void add_flag(struct render_table *t, int column, int flag)
{
	struct libscols_column *c = scols_table_get_column(t->table, (size_t)column);

	scols_column_set_flags(c, scols_column_get_flags(c) | flag);
}

void render_table_flexible(struct render_table *t, int column)
{
	if (t->n_flexible < FLEXIBLE_MAX)
		t->flexible[t->n_flexible++] = column;
}

void render_table_right(struct render_table *t, int column)
{
	add_flag(t, column, SCOLS_FL_RIGHT);
}

void render_table_cell(struct render_table *t, enum render_tone tone, const char *format, ...)
{
	char text[TERMINAL_TEXT_MAX_BYTES];
	const char *start = terminal_tone_start(tone);
	va_list args;

	if (t->next == t->n_columns) {
		t->line = must(scols_table_new_line(t->table, NULL));
		t->next = 0;
	}
	va_start(args, format);
	terminal_format(text, format, args);
	va_end(args);
	scols_line_set_data(t->line, (size_t)t->next, *text ? text : "-");
	if (start)
		scols_cell_set_color(scols_line_get_cell(t->line, (size_t)t->next), start);
	t->next++;
}

/* Columns that a line of the table fills; the colours' sequences fill none. */
static int line_width(const char *line, const char *end)
{
	mbstate_t state = { 0 };
	int width = 0;

	while (line < end) {
		wchar_t c;
		size_t n;

		if (*line >= ' ' && *line <= '~') {
			width++;
			line++;
			continue;
		}
		if (*line == '\033') {
			line = memchr(line, 'm', (size_t)(end - line));
			if (!line++)
				break;
			continue;
		}
		n = mbrtowc(&c, line, (size_t)(end - line), &state);
		if (n == 0 || n > (size_t)(end - line))
			n = 1; /* every cell was made valid: this is not reached */
		else if (wcwidth(c) > 0)
			width += wcwidth(c);
		line += n;
	}
	return width;
}

static char *fit(char *ret, const char *format, ...) __attribute__((format(printf, 2, 3)));

static char *fit(char *ret, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	terminal_format(ret, format, args);
	va_end(args);
	return ret;
}

int render_width(const char *text)
{
	char shown[TERMINAL_TEXT_MAX_BYTES];

	fit(shown, "%s", text);
	return line_width(shown, shown + strlen(shown));
}

int render_columns(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0)
		return 0;
	return size.ws_col;
}

/* The widest line: on a terminal the last column's own width is all that is left of the screen. */
static int table_width(const char *text)
{
	int width = 0;

	while (*text) {
		const char *end = strchrnul(text, '\n');
		int n = line_width(text, end);

		if (n > width)
			width = n;
		text = *end ? end + 1 : end;
	}
	return width;
}

static void print_rule(int width)
{
	while (width-- > 0)
		fputs(render_either("─", "-"), stdout);
	putchar('\n');
}

/* Lays the table out into memory; one more column is cut for as long as it is too wide. */
static char *lay_out(struct render_table *t)
{
	for (int i = 0;; i++) {
		_cleanup_free_ char *text = NULL;

		if (scols_print_table_to_string(t->table, &text) != 0)
			must(NULL);
		if (!isatty(STDOUT_FILENO) || i == t->n_flexible ||
		    table_width(must(text)) <= (int)scols_table_get_termwidth(t->table))
			return TAKE_PTR(text);
		add_flag(t, t->flexible[i], SCOLS_FL_TRUNC);
	}
}

void render_table_print(struct render_table *t)
{
	_cleanup_free_ char *text = lay_out(t);
	char *rows = text ? strchr(text, '\n') : NULL;

	if (rows) {
		fwrite(text, 1, (size_t)(rows + 1 - text), stdout);
		print_rule(table_width(text));
		fputs(rows + 1, stdout);
		if (rows[1] && rows[strlen(rows) - 1] != '\n')
			putchar('\n');
	}
	render_table_free(t);
}

void render_table_free(struct render_table *t)
{
	if (!t)
		return;
	scols_unref_table(t->table);
	free(t);
}
