/* SPDX-License-Identifier: MIT */
#include "cli/render/render.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/render/terminal.h"

#define COLUMN_SEPARATOR "  "
#define SEPARATOR_WIDTH	 2
#define CHOICES_MAX	 8 /* columns that may be cut, or left out */
#define WIDTH_MIN	 8 /* no column is cut to less */
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
	int width; /* of the widest cell; what is left of it where the terminal is narrow */
	int whole; /* the first of them, there */
	bool right, optional, used, left_out;
};

/* Columns in the order in which something is done to them. */
struct choice {
	int column[CHOICES_MAX], least[CHOICES_MAX];
	int n;
};

/* Cells are kept as text until all of them are there, and the width of each column is known. */
struct render_table {
	struct column *columns;
	int n_columns;
	struct cell *cells;
	size_t n_cells, cells_size;
	char *text;
	size_t used, size;
	struct choice flexible, droppable;
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

static void choose(struct choice *choice, int column, int least)
{
	if (choice->n == CHOICES_MAX)
		return;
	choice->column[choice->n] = column;
	choice->least[choice->n++] = least;
}

void render_table_flexible(struct render_table *t, int column, int least)
{
	choose(&t->flexible, column, least);
}

void render_table_droppable(struct render_table *t, int column, enum render_drop when)
{
	choose(&t->droppable, column, (int)when);
}

void render_table_right(struct render_table *t, int column)
{
	t->columns[column].right = true;
}

void render_table_optional(struct render_table *t, int column)
{
	t->columns[column].optional = true;
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

/* --- printing -------------------------------------------------------------------------------- */

static bool is_shown(const struct column *column)
{
	return !column->left_out && (!column->optional || column->used);
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

/* --- where the terminal is too narrow -------------------------------------------------------- */

/* A cell that is cut, beside the text that it was. */
struct cut_cell {
	struct cell *cell, whole;
	const struct render_table *t;
};

static const char *text_of(const struct render_table *t, const struct cell *cell)
{
	return t->text + cell->at;
}

/* The first columns of a text, then from another place on what fits; marks where some is missing.
 */
static void cut_cell(struct render_table *t, const struct cut_cell *cut, int width, int head,
		     int from)
{
	const char *mark = render_either("…", "...");
	const struct cell *whole = &cut->whole;
	const char *text = text_of(t, whole), *end = text + whole->length, *tail;
	int mark_width = render_width(mark), room = width - head - mark_width;
	char shown[TERMINAL_TEXT_MAX_BYTES];
	bool to_the_end = from + room >= whole->width;
	int n;

	if (to_the_end)
		from = whole->width - room;
	else
		room -= mark_width;
	tail = text + terminal_skip(text, end, from);
	n = snprintf(shown, sizeof(shown), "%.*s%s%.*s%s", (int)terminal_fit(text, end, head), text,
		     mark, (int)terminal_fit(tail, end, room), tail, to_the_end ? "" : mark);
	*cut->cell = (struct cell){ .at = t->used, .length = n, .tone = whole->tone };
	cut->cell->width = terminal_width(shown, shown + n);
	add_text(t, shown, (size_t)n);
}

static int by_shown_text(const void *left, const void *right)
{
	const struct cut_cell *a = left, *b = right;
	int r = strcmp(text_of(a->t, a->cell), text_of(b->t, b->cell));

	return r ? r : strcmp(text_of(a->t, &a->whole), text_of(b->t, &b->whole));
}

/* Bytes that both begin with; the whole of it where they are the same. */
static int common_bytes(const struct cut_cell *a, const struct cut_cell *b)
{
	const char *x = text_of(a->t, &a->whole), *y = text_of(b->t, &b->whole);
	int n = 0;

	while (x[n] && x[n] == y[n])
		n++;
	return n;
}

static bool look_alike(const struct cut_cell *a, const struct cut_cell *b)
{
	return strcmp(text_of(a->t, a->cell), text_of(b->t, b->cell)) == 0 &&
	       strcmp(text_of(a->t, &a->whole), text_of(b->t, &b->whole)) != 0;
}

/* Where cuts[i] differs from the most similar one of those that look as it does; 0 = none does. */
static int differs_at(const struct cut_cell *cuts, size_t n, size_t i)
{
	const char *text = text_of(cuts[i].t, &cuts[i].whole);
	int before = i > 0 && look_alike(&cuts[i], &cuts[i - 1])
			     ? common_bytes(&cuts[i], &cuts[i - 1])
			     : 0;
	int after = i + 1 < n && look_alike(&cuts[i], &cuts[i + 1])
			    ? common_bytes(&cuts[i], &cuts[i + 1])
			    : 0;

	return terminal_width(text, text + (before > after ? before : after));
}

/*
 * Two texts that differ are never shown alike: in place of their ends they show where they differ,
 * and what even that does not tell apart is shown whole.
 */
static void tell_apart(struct render_table *t, struct cut_cell *cuts, size_t n, int width)
{
	_cleanup_free_ int *at = must(calloc(n, sizeof(*at)));

	qsort(cuts, n, sizeof(*cuts), by_shown_text);
	for (size_t i = 0; i < n; i++)
		at[i] = differs_at(cuts, n, i);
	for (size_t i = 0; i < n; i++)
		if (at[i])
			cut_cell(t, &cuts[i], width, width / 4, at[i] - 1);
	qsort(cuts, n, sizeof(*cuts), by_shown_text);
	for (size_t i = 0; i < n; i++)
		at[i] = differs_at(cuts, n, i);
	for (size_t i = 0; i < n; i++)
		if (at[i])
			*cuts[i].cell = cuts[i].whole;
}

/* From the middle, for a name's beginning and its end say most. */
static void cut_column(struct render_table *t, int column)
{
	_cleanup_free_ struct cut_cell *cuts =
		must(calloc(t->n_cells / (size_t)t->n_columns + 1, sizeof(*cuts)));
	int width = t->columns[column].width;
	size_t n = 0;

	for (size_t i = (size_t)column; i < t->n_cells; i += (size_t)t->n_columns)
		if (t->cells[i].width > width)
			cuts[n++] = (struct cut_cell){ &t->cells[i], t->cells[i], t };
	for (size_t i = 0; i < n; i++)
		cut_cell(t, &cuts[i], width, width / 2, cuts[i].whole.width);
	if (n)
		tell_apart(t, cuts, n, width);
}

/* Takes what is too much from the columns that may be cut.  True when it fits then. */
static bool narrow(struct render_table *t, int columns, bool to_the_least)
{
	for (int i = 0; i < t->flexible.n; i++)
		t->columns[t->flexible.column[i]].width = t->columns[t->flexible.column[i]].whole;
	for (int i = 0; i < t->flexible.n; i++) {
		struct column *column = &t->columns[t->flexible.column[i]];
		int least = to_the_least ? t->flexible.least[i] : WIDTH_MIN;
		int excess = table_width(t) - columns, spare = column->width - least;

		if (excess > 0 && spare > 0)
			column->width -= excess < spare ? excess : spare;
	}
	return table_width(t) <= columns;
}

/* One column after the other, for as long as the rest does not fit. */
static bool leave_out(struct render_table *t, int columns, enum render_drop when)
{
	bool to_the_least = when == RENDER_DROP_EARLY, fits = narrow(t, columns, to_the_least);

	for (int i = 0; !fits && i < t->droppable.n; i++) {
		if (t->droppable.least[i] != (int)when)
			continue;
		t->columns[t->droppable.column[i]].left_out = true;
		fits = narrow(t, columns, to_the_least);
	}
	return fits;
}

static void fit_into(struct render_table *t, int columns)
{
	for (int i = 0; i < t->n_columns; i++)
		t->columns[i].whole = t->columns[i].width;
	if (!leave_out(t, columns, RENDER_DROP_EARLY))
		leave_out(t, columns, RENDER_DROP_LATE);
	for (int i = 0; i < t->flexible.n; i++)
		cut_column(t, t->flexible.column[i]);
}

/* --------------------------------------------------------------------------------------------- */

static void print_all(const struct render_table *t)
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

void render_table_print(struct render_table *t)
{
	int columns = render_columns();

	if (columns && table_width(t) > columns)
		fit_into(t, columns);
	print_all(t);
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
