/* SPDX-License-Identifier: MIT */
#include "cli/render/render.h"

#include <libsmartcols/libsmartcols.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#include "base/cleanup.h"
#include "cli/render/terminal.h"

#define COLUMN_SEPARATOR "  "
#define SEPARATOR_WIDTH	 2
#define FLEXIBLE_MAX	 2 /* columns that may be cut: the process, then the service */
#define CELLS_FIRST	 256
#define TEXT_FIRST_BYTES (16 * 1024)

/* Its text stands in the table's, where it stays when that grows. */
struct cell {
	size_t at;
	int length, width; /* bytes, columns */
	enum render_tone tone;
};

struct column {
	const char *heading;
	int width; /* of the widest cell */
	bool right, optional, used;
};

/*
 * Cells are kept as text until all of them are there: a table of 20,000 rows is printed in a few
 * milliseconds, and libsmartcols is asked only where a column has to be cut.
 */
struct render_table {
	struct column *columns;
	int n_columns;
	struct cell *cells;
	size_t n_cells, cells_size;
	char *text;
	size_t used, size;
	int flexible[FLEXIBLE_MAX];
	int n_flexible;
};

/* No memory for a table: nothing sensible is left to be done. */
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

	t->columns = must(calloc((size_t)n_columns, sizeof(*t->columns)));
	t->n_columns = n_columns;
	for (int i = 0; i < n_columns; i++)
		t->columns[i] = (struct column){ headings[i], (int)strlen(headings[i]) };
	return t;
}

void render_table_flexible(struct render_table *t, int column)
{
	if (t->n_flexible < FLEXIBLE_MAX)
		t->flexible[t->n_flexible++] = column;
}

void render_table_right(struct render_table *t, int column)
{
	t->columns[column].right = true;
}

void render_table_optional(struct render_table *t, int column)
{
	t->columns[column].optional = true;
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

static char *fit(char ret[static TERMINAL_TEXT_MAX_BYTES], const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static char *fit(char ret[static TERMINAL_TEXT_MAX_BYTES], const char *format, ...)
{
	va_list args;

	va_start(args, format);
	terminal_format(ret, format, args);
	va_end(args);
	return ret;
}

static void add_text(struct render_table *t, const char *text, size_t n)
{
	while (t->used + n + 1 > t->size) {
		t->size = t->size ? 2 * t->size : TEXT_FIRST_BYTES;
		t->text = must(realloc(t->text, t->size));
	}
	memcpy(t->text + t->used, text, n);
	t->text[t->used + n] = '\0';
	t->used += n + 1;
}

static struct cell *new_cell(struct render_table *t)
{
	if (t->n_cells == t->cells_size) {
		t->cells_size = t->cells_size ? 2 * t->cells_size : CELLS_FIRST;
		t->cells = must(reallocarray(t->cells, t->cells_size, sizeof(*t->cells)));
	}
	return &t->cells[t->n_cells++];
}

/* `text` is fit for the terminal. */
static void add_cell(struct render_table *t, enum render_tone tone, const char *text)
{
	struct column *column = &t->columns[t->n_cells % (size_t)t->n_columns];
	struct cell *cell = new_cell(t);

	column->used |= *text != '\0';
	if (!*text)
		text = "-";
	*cell = (struct cell){ .at = t->used, .length = (int)strlen(text), .tone = tone };
	cell->width = line_width(text, text + cell->length);
	add_text(t, text, (size_t)cell->length);
	if (cell->width > column->width)
		column->width = cell->width;
}

void render_table_cell(struct render_table *t, enum render_tone tone, const char *format, ...)
{
	char text[TERMINAL_TEXT_MAX_BYTES];
	va_list args;

	va_start(args, format);
	add_cell(t, tone, terminal_format(text, format, args));
	va_end(args);
}

/* Nothing in it has to be escaped anywhere, and none of it is cut. */
static bool is_plain(const char *text)
{
	size_t n = 0;

	while (text[n] >= ' ' && text[n] <= '~')
		n++;
	return !text[n] && n < TERMINAL_TEXT_MAX_BYTES;
}

void render_table_text(struct render_table *t, enum render_tone tone, const char *text)
{
	if (is_plain(text))
		add_cell(t, tone, text);
	else
		render_table_cell(t, tone, "%s", text);
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

/* --- printing -------------------------------------------------------------------------------- */

static bool is_shown(const struct column *column)
{
	return !column->optional || column->used;
}

/* Columns that the widest line fills. */
static int table_width(const struct render_table *t)
{
	int width = -SEPARATOR_WIDTH;

	for (int i = 0; i < t->n_columns; i++)
		if (is_shown(&t->columns[i]))
			width += SEPARATOR_WIDTH + t->columns[i].width;
	return width;
}

static void print_rule(int width)
{
	while (width-- > 0)
		fputs(render_either("─", "-"), stdout);
	putchar('\n');
}

static void print_spaces(int n)
{
	if (n > 0)
		printf("%*s", n, "");
}

/* `last`: no cell follows on the line that it would have to be filled up for. */
static void print_cell(const struct column *column, const char *text, int width,
		       enum render_tone tone, bool last)
{
	const char *start = terminal_tone_start(tone);
	int spaces = column->width - width;

	if (start)
		fputs(start, stdout);
	if (column->right)
		print_spaces(spaces);
	fputs(text, stdout);
	if (!column->right && !last)
		print_spaces(spaces);
	if (start)
		fputs(TERMINAL_TONE_END, stdout);
	if (!last)
		fputs(COLUMN_SEPARATOR, stdout);
}

static int last_shown(const struct render_table *t)
{
	int last = t->n_columns - 1;

	while (last > 0 && !is_shown(&t->columns[last]))
		last--;
	return last;
}

static void print_whole(const struct render_table *t)
{
	int last = last_shown(t);

	for (int i = 0; i <= last; i++)
		if (is_shown(&t->columns[i]))
			print_cell(&t->columns[i], t->columns[i].heading,
				   (int)strlen(t->columns[i].heading), TONE_PLAIN, i == last);
	putchar('\n');
	print_rule(table_width(t));
	for (size_t at = 0; at + (size_t)t->n_columns <= t->n_cells; at += (size_t)t->n_columns) {
		for (int i = 0; i <= last; i++) {
			const struct cell *cell = &t->cells[at + (size_t)i];

			if (is_shown(&t->columns[i]))
				print_cell(&t->columns[i], t->text + cell->at, cell->width,
					   cell->tone, i == last);
		}
		putchar('\n');
	}
}

/* --- where the terminal is too narrow -------------------------------------------------------- */

static void add_flag(struct libscols_table *table, int column, int flag)
{
	struct libscols_column *c = scols_table_get_column(table, (size_t)column);

	scols_column_set_flags(c, scols_column_get_flags(c) | flag);
}

static struct libscols_table *new_scols(void)
{
	struct libscols_table *table = must(scols_new_table());

	/* The cells are escaped before they come here; a second escaping would double it. */
	scols_table_enable_noencoding(table, 1);
	scols_table_enable_colors(table, terminal_has_colors());
	scols_table_set_column_separator(table, COLUMN_SEPARATOR);
	return table;
}

static void fill_scols(struct libscols_table *table, const struct render_table *t)
{
	struct libscols_line *line = NULL;

	for (int i = 0; i < t->n_columns; i++) {
		must(scols_table_new_column(table, t->columns[i].heading, 0, 0));
		if (t->columns[i].right)
			add_flag(table, i, SCOLS_FL_RIGHT);
		if (!is_shown(&t->columns[i]))
			add_flag(table, i, SCOLS_FL_HIDDEN);
	}
	for (size_t i = 0; i < t->n_cells; i++) {
		size_t column = i % (size_t)t->n_columns;
		const char *start = terminal_tone_start(t->cells[i].tone);

		if (column == 0)
			line = must(scols_table_new_line(table, NULL));
		scols_line_set_data(line, column, t->text + t->cells[i].at);
		if (start)
			scols_cell_set_color(scols_line_get_cell(line, column), start);
	}
}

/* The widest line: the last column's own width is all that is left of the screen. */
static int text_width(const char *text)
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

/* Lays the table out into memory; one more column is cut for as long as it is too wide. */
static char *lay_out(const struct render_table *t, struct libscols_table *table)
{
	for (int i = 0;; i++) {
		_cleanup_free_ char *text = NULL;

		if (scols_print_table_to_string(table, &text) != 0)
			must(NULL);
		if (i == t->n_flexible ||
		    text_width(must(text)) <= (int)scols_table_get_termwidth(table))
			return TAKE_PTR(text);
		add_flag(table, t->flexible[i], SCOLS_FL_TRUNC);
	}
}

static void print_cut(const struct render_table *t, struct libscols_table *table)
{
	_cleanup_free_ char *text = NULL;
	char *rows;

	fill_scols(table, t);
	text = lay_out(t, table);
	rows = strchr(text, '\n');
	if (!rows)
		return;
	fwrite(text, 1, (size_t)(rows + 1 - text), stdout);
	print_rule(text_width(text));
	fputs(rows + 1, stdout);
	if (rows[1] && rows[strlen(rows) - 1] != '\n')
		putchar('\n');
}

void render_table_print(struct render_table *t)
{
	struct libscols_table *table = isatty(STDOUT_FILENO) ? new_scols() : NULL;

	if (table && table_width(t) > (int)scols_table_get_termwidth(table))
		print_cut(t, table);
	else
		print_whole(t);
	scols_unref_table(table);
	render_table_free(t);
}

void render_table_free(struct render_table *t)
{
	if (!t)
		return;
	free(t->columns);
	free(t->cells);
	free(t->text);
	free(t);
}
