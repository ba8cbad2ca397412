/* SPDX-License-Identifier: MIT */
#include "cli/render.h"

#include <libsmartcols/libsmartcols.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/terminal.h"

#define COLUMN_SEPARATOR "  "

struct render_table {
	struct libscols_table *table;
	struct libscols_line *line;
	int n_columns, next;
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
	if (column >= 0)
		add_flag(t, column, SCOLS_FL_TRUNC);
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

static size_t table_width(const struct render_table *t)
{
	size_t width = strlen(COLUMN_SEPARATOR) * (size_t)(t->n_columns - 1);

	for (int i = 0; i < t->n_columns; i++)
		width += scols_column_get_width(scols_table_get_column(t->table, (size_t)i));
	return width;
}

static void print_rule(size_t width)
{
	while (width--)
		fputs(render_either("─", "-"), stdout);
	putchar('\n');
}

void render_table_print(struct render_table *t)
{
	_cleanup_free_ char *text = NULL;
	char *rows;

	/* The widths are known once the table has been laid out: lay it out into memory first. */
	if (scols_print_table_to_string(t->table, &text) != 0)
		must(NULL);
	rows = text ? strchr(text, '\n') : NULL;
	if (rows) {
		fwrite(text, 1, (size_t)(rows + 1 - text), stdout);
		print_rule(table_width(t));
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
