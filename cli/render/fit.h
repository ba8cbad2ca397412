/* SPDX-License-Identifier: MIT */
/*
 * How a table is made to fit the terminal, before it is laid out: which columns are hidden, how
 * wide the others may be, and what is shown of a text that is wider.  It works on numbers
 * and texts alone.
 */
#ifndef CLI_RENDER_FIT_H
#define CLI_RENDER_FIT_H

#include <stdbool.h>
#include <stddef.h>

#define FIT_COLUMNS_MAX	    12
#define FIT_SEPARATOR	    "  " /* between two columns */
#define FIT_SEPARATOR_WIDTH 2

struct fit_column {
	int width; /* of the widest cell */
	bool hidden;
};

/* A column, and how far or when something is done to it: see render.h. */
struct fit_choice {
	int column, least;
};

struct fit {
	struct fit_column columns[FIT_COLUMNS_MAX];
	struct fit_choice flexible[FIT_COLUMNS_MAX], droppable[FIT_COLUMNS_MAX];
	int n_columns, n_flexible, n_droppable;
};

/* Columns of the terminal that the widest line fills. */
int fit_width(const struct fit *f);

/* Hides columns and takes from the width of flexible ones until all of it fits `columns`. */
void fit_into(struct fit *f, int columns);

/*
 * What is shown of each text that is wider than `width`, allocated; NULL = all of it.  What is
 * missing there has a mark, and texts that differ never become the same.
 */
void fit_texts(const char *const *texts, size_t n, int width, char **ret_shown);

#endif
