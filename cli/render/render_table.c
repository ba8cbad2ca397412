/* SPDX-License-Identifier: MIT */
#include "cli/render/render.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/render/fit.h"
#include "cli/render/terminal.h"

#define CELLS_FIRST	 256
#define TEXT_FIRST_BYTES (16 * 1024)

/* Its text stands in the table's, where it stays when that grows. */
struct cell {
	size_t at;
	int length, width; /* bytes, columns */
	enum render_tone tone;
};

/* Cells are kept as text until all of them are there, and the width of each column is known. */
struct render_table {
	const char *headings[FIT_COLUMNS_MAX];
	bool right[FIT_COLUMNS_MAX];
	struct fit fit;
	struct cell *cells;
	size_t n_cells, cells_size;
	char *text;
	size_t used, size;
};

struct render_table *render_table_new(const char *const *headings, int n_columns)
{
	struct render_table *t = render_must(calloc(1, sizeof(*t)));

	assert(n_columns <= FIT_COLUMNS_MAX);
	t->fit.n_columns = n_columns;
	for (int i = 0; i < n_columns; i++) {
		t->headings[i] = headings[i];
		t->fit.columns[i].width = (int)strlen(headings[i]);
	}
	return t;
}

void render_table_flexible(struct render_table *t, int column, int least)
{
	t->fit.flexible[t->fit.n_flexible++] = (struct fit_choice){ column, least };
}

void render_table_droppable(struct render_table *t, int column, enum render_drop when)
{
	t->fit.droppable[t->fit.n_droppable++] = (struct fit_choice){ column, (int)when };
}

void render_table_right(struct render_table *t, int column)
{
	t->right[column] = true;
}

void render_table_optional(struct render_table *t, int column)
{
	t->fit.columns[column].hidden = true;
}

static void add_text(struct render_table *t, const char *text, size_t n)
{
	while (t->used + n + 1 > t->size) {
		t->size = t->size ? 2 * t->size : TEXT_FIRST_BYTES;
		t->text = render_must(realloc(t->text, t->size));
	}
	memcpy(t->text + t->used, text, n);
	t->text[t->used + n] = '\0';
	t->used += n + 1;
}

static struct cell *new_cell(struct render_table *t)
{
	if (t->n_cells == t->cells_size) {
		t->cells_size = t->cells_size ? 2 * t->cells_size : CELLS_FIRST;
		t->cells = render_must(reallocarray(t->cells, t->cells_size, sizeof(*t->cells)));
	}
	return &t->cells[t->n_cells++];
}

/* `text` is fit for the terminal. */
static void add_cell(struct render_table *t, enum render_tone tone, const char *text)
{
	struct fit_column *column = &t->fit.columns[t->n_cells % (size_t)t->fit.n_columns];
	struct cell *cell = new_cell(t);

	column->hidden &= !*text;
	if (!*text)
		text = "-";
	*cell = (struct cell){ .at = t->used, .length = (int)strlen(text), .tone = tone };
	cell->width = terminal_width(text, text + cell->length);
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

static void cut_column(struct render_table *t, int column)
{
	size_t step = (size_t)t->fit.n_columns, n = t->n_cells / step;
	_cleanup_free_ const char **texts = render_must(calloc(n + 1, sizeof(*texts)));
	_cleanup_free_ char **shown = render_must(calloc(n + 1, sizeof(*shown)));

	for (size_t i = 0; i < n; i++)
		texts[i] = t->text + t->cells[i * step + (size_t)column].at;
	fit_texts(texts, n, t->fit.columns[column].width, shown);
	for (size_t i = 0; i < n; i++) {
		struct cell *cell = &t->cells[i * step + (size_t)column];

		if (!shown[i])
			continue;
		cell->at = t->used;
		cell->length = (int)strlen(shown[i]);
		cell->width = terminal_width(shown[i], shown[i] + cell->length);
		add_text(t, shown[i], (size_t)cell->length);
		free(shown[i]);
	}
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
static void print_cell(const struct render_table *t, int column, const char *text, int width,
		       enum render_tone tone, bool last)
{
	const char *start = terminal_tone_start(tone);
	int spaces = t->fit.columns[column].width - width;

	if (start)
		fputs(start, stdout);
	if (t->right[column])
		print_spaces(spaces);
	fputs(text, stdout);
	if (!t->right[column] && !last)
		print_spaces(spaces);
	if (start)
		fputs(TERMINAL_TONE_END, stdout);
	fputs(last ? "\n" : FIT_SEPARATOR, stdout);
}

static void print_all(const struct render_table *t)
{
	const struct fit_column *columns = t->fit.columns;
	int n = t->fit.n_columns, last = n - 1;

	while (last > 0 && columns[last].hidden)
		last--;
	for (int i = 0; i <= last; i++)
		if (!columns[i].hidden)
			print_cell(t, i, t->headings[i], (int)strlen(t->headings[i]), TONE_PLAIN,
				   i == last);
	print_rule(fit_width(&t->fit));
	for (size_t at = 0; at + (size_t)n <= t->n_cells; at += (size_t)n) {
		const struct cell *row = t->cells + at;

		for (int i = 0; i <= last; i++)
			if (!columns[i].hidden)
				print_cell(t, i, t->text + row[i].at, row[i].width, row[i].tone,
					   i == last);
	}
}

void render_table_print(struct render_table *t)
{
	int columns = render_columns();

	if (columns && fit_width(&t->fit) > columns) {
		fit_into(&t->fit, columns);
		for (int i = 0; i < t->fit.n_flexible; i++)
			cut_column(t, t->fit.flexible[i].column);
	}
	print_all(t);
	render_table_free(t);
}

void render_table_free(struct render_table *t)
{
	if (!t)
		return;
	free(t->cells);
	free(t->text);
	free(t);
}
