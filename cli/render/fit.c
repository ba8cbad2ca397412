/* SPDX-License-Identifier: MIT */
#include "cli/render/fit.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/render/terminal.h"

#define WIDTH_MIN 8 /* no column is cut to less */

int fit_width(const struct fit *f)
{
	int width = -FIT_SEPARATOR_WIDTH;

	for (int i = 0; i < f->n_columns; i++)
		if (!f->columns[i].hidden)
			width += FIT_SEPARATOR_WIDTH + f->columns[i].width;
	return width;
}

/* Takes what is too much from the columns that may be cut, which begin whole.  True when it fits.
 */
static bool narrow(struct fit *f, const struct fit *whole, int columns, enum render_drop when)
{
	for (int i = 0; i < f->n_columns; i++)
		f->columns[i].width = whole->columns[i].width;
	for (int i = 0; i < f->n_flexible; i++) {
		struct fit_column *column = &f->columns[f->flexible[i].column];
		int least = when == RENDER_DROP_EARLY ? f->flexible[i].least : WIDTH_MIN;
		int excess = fit_width(f) - columns, spare = column->width - least;

		if (excess > 0 && spare > 0)
			column->width -= excess < spare ? excess : spare;
	}
	return fit_width(f) <= columns;
}

void fit_into(struct fit *f, int columns)
{
	const struct fit whole = *f;

	for (enum render_drop when = RENDER_DROP_EARLY; when <= RENDER_DROP_LATE; when++) {
		if (narrow(f, &whole, columns, when))
			return;
		for (int i = 0; i < f->n_droppable; i++) {
			if (f->droppable[i].least != (int)when)
				continue;
			f->columns[f->droppable[i].column].hidden = true;
			if (narrow(f, &whole, columns, when))
				return;
		}
	}
}

/* --- texts ----------------------------------------------------------------------------------- */

struct cut {
	const char *whole;
	char *shown;
	size_t index;
	int differs; /* from the most similar one that looks as it does; see differ_at() */
};

/*
 * The first `head` columns of a text, then from the column `from` on what fits; a mark where some
 * is missing.  Allocated; NULL = no memory.
 */
static char *cut_text(const char *text, int width, int head, int from)
{
	const char *mark = render_either("…", "..."), *end = text + strlen(text), *tail;
	int mark_width = render_width(mark), room = width - head - mark_width;
	int whole = terminal_width(text, end);
	bool to_the_end = from + room >= whole;
	char *ret;

	if (to_the_end)
		from = whole - room;
	else
		room -= mark_width;
	tail = text + terminal_skip(text, end, from);
	return asprintf(&ret, "%.*s%s%.*s%s", (int)terminal_fit(text, end, head), text, mark,
			(int)terminal_fit(tail, end, room), tail, to_the_end ? "" : mark) < 0
		       ? NULL
		       : ret;
}

static int by_shown_text(const void *left, const void *right)
{
	const struct cut *a = left, *b = right;
	int r = strcmp(a->shown, b->shown);

	return r ? r : strcmp(a->whole, b->whole);
}

/* The column, counted from 1, where two texts differ that look alike; 0 = they do not. */
static int differ_at(const struct cut *a, const struct cut *b)
{
	int n = 0;

	if (strcmp(a->shown, b->shown) != 0)
		return 0;
	while (a->whole[n] == b->whole[n])
		n++;
	return terminal_width(a->whole, a->whole + n) + 1;
}

/* Notes of each text, which may be there several times, where it differs from its neighbours. */
static void find_alike(struct cut *cuts, size_t n)
{
	qsort(cuts, n, sizeof(*cuts), by_shown_text);
	for (size_t i = 0, next; i < n; i = next) {
		int before = i > 0 ? differ_at(&cuts[i], &cuts[i - 1]) : 0, after;

		for (next = i + 1; next < n && strcmp(cuts[i].whole, cuts[next].whole) == 0;)
			next++;
		after = next < n ? differ_at(&cuts[i], &cuts[next]) : 0;
		for (size_t same = i; same < next; same++)
			cuts[same].differs = before > after ? before : after;
	}
}

static void show(struct cut *cut, char *shown)
{
	free(cut->shown);
	cut->shown = render_must(shown);
}

/* Columns of the beginning beside a part of the middle, which needs two marks and two columns. */
static int short_head(int width)
{
	int most = width - 2 * render_width(render_either("…", "...")) - 2;

	return most < 0 ? 0 : most < width / 4 ? most : width / 4;
}

/*
 * From the middle, for a name's beginning and its end say most.  Those that look alike then show in
 * place of their ends where they differ, and what even that does not tell apart is shown whole.
 */
static void cut_texts(struct cut *cuts, size_t n, int width)
{
	for (size_t i = 0; i < n; i++)
		show(&cuts[i], cut_text(cuts[i].whole, width, width / 2, INT_MAX / 2));
	find_alike(cuts, n);
	for (size_t i = 0; i < n; i++)
		if (cuts[i].differs)
			show(&cuts[i], cut_text(cuts[i].whole, width, short_head(width),
						cuts[i].differs - 2));
	find_alike(cuts, n);
	for (size_t i = 0; i < n; i++)
		if (cuts[i].differs)
			show(&cuts[i], strdup(cuts[i].whole));
}

void fit_texts(const char *const *texts, size_t n, int width, char **ret_shown)
{
	_cleanup_free_ struct cut *cuts = render_must(calloc(n + 1, sizeof(*cuts)));
	size_t n_cuts = 0;

	for (size_t i = 0; i < n; i++) {
		ret_shown[i] = NULL;
		if (terminal_width(texts[i], texts[i] + strlen(texts[i])) > width)
			cuts[n_cuts++] = (struct cut){ .whole = texts[i], .index = i };
	}
	cut_texts(cuts, n_cuts, width);
	for (size_t i = 0; i < n_cuts; i++)
		ret_shown[cuts[i].index] = cuts[i].shown;
}
