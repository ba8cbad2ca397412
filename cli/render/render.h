/* SPDX-License-Identifier: MIT */
/*
 * Renderers print, commands do not: a command fills a model, one of these shows it.  They know the
 * terminal (width, colours, UTF-8) and escape every cell.
 */
#ifndef CLI_RENDER_RENDER_H
#define CLI_RENDER_RENDER_H

#include <stdbool.h>

#include "base/outcome.h"

struct command_line;
struct json_object;

enum render_tone { TONE_PLAIN = 0, TONE_GOOD, TONE_WARN, TONE_BAD, TONE_DIM };

/* Reads NO_COLOR, --color=WHEN ("auto", "always", "never"; NULL = auto), isatty, the locale. */
void render_setup(const char *color_when);

/* The sign of a tone where the locale is UTF-8 (✅ ⚠️ ❌), else "ok", "!", "x". */
const char *render_sign(enum render_tone tone);
/* Prints it with what stands between it and the text.  Returns the columns of both. */
int render_sign_and_blank(enum render_tone tone);

/* True where the locale is UTF-8; `plain` is what others print instead of `utf8`. */
bool render_is_utf8(void);
const char *render_either(const char *utf8, const char *plain);

/*
 * Running text on stdout, without a newline: formatted, then everything in it that a terminal
 * could take for a command is escaped, then coloured.  For lines that are no table and no field.
 */
void render_text(enum render_tone tone, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void render_newline(void);
/* Both. */
void render_line(enum render_tone tone, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* How many columns the text fills once it is printed so. */
int render_width(const char *text);
/* Columns of the terminal that stdout is; 0 = it is none. */
int render_columns(void);
/*
 * Running text and its newline, from the column on where the line stands; what the terminal has no
 * room for goes on in the next line at `indent`, or near the margin where too little would be left
 * there.  Where stdout is no terminal, lines end after pipe_columns; 0 = where the text ends.
 */
void render_wrapped(enum render_tone tone, int column, int indent, int pipe_columns,
		    const char *text);
/*
 * A name that begins a line, filled up to `width` columns, without a newline.  Where the terminal
 * has no room for it and something beside it, it gets lines of its own.  Returns the column where
 * the line stands then.
 */
int render_head(int column, int width, const char *name);
/* The text in so many columns, with a mark where the rest is missing.  Returns ret. */
#define RENDER_CUT_SIZE 1024
const char *render_cut(const char *text, int columns, char ret[static RENDER_CUT_SIZE]);
/* Any length of text, which render_text() would cut. */
void render_long_text(const char *text);
/* "pd: text" on stderr, escaped likewise: what is not a result. */
void render_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same, unless -q was given. */
void render_say(bool quiet, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* What an allocation returned; without memory nothing sensible is left to be done, and pd ends. */
void *render_must(void *allocated);

/*
 * A line on stderr that the next one, or render_progress_end(), takes away again; nothing where
 * stderr is no terminal.
 */
void render_progress(const char *format, ...) __attribute__((format(printf, 1, 2)));
void render_progress_end(void);
/* Is stdout a terminal that can be redrawn?  Empties it. */
bool render_can_redraw(void);
void render_redraw(void);

/* A table: headings (borrowed), then cells row by row; an empty cell prints as "-". */
struct render_table;
struct render_table *render_table_new(const char *const *headings, int n_columns);
/*
 * Where the terminal is narrow: which column may be cut, to `least` columns before others are left
 * out; called again, the next one, when that is not enough.  What is cut has a mark, and two texts
 * that differ never look the same.
 */
void render_table_flexible(struct render_table *t, int column, int least);
/*
 * Which column is left out when that is not enough, called again the next one: before others are
 * cut to less than `least`, or when even that does not help.
 */
enum render_drop { RENDER_DROP_EARLY, RENDER_DROP_LATE };
void render_table_droppable(struct render_table *t, int column, enum render_drop when);
void render_table_right(struct render_table *t, int column);
/* A column that is left out where all its cells are empty. */
void render_table_optional(struct render_table *t, int column);
/* Adds a cell (printf) to the current row; rows end by themselves. */
void render_table_cell(struct render_table *t, enum render_tone tone, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The same for a text as it is, which is most of a long table. */
void render_table_text(struct render_table *t, enum render_tone tone, const char *text);
void render_table_print(struct render_table *t); /* to stdout, and frees it */
void render_table_free(struct render_table *t);

/* "Label:      text" lines as in `pd status`. */
void render_field(const char *label, enum render_tone tone, bool sign, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* What every answer begins with: whether all is well, and "version", the JSON's own, not pd's.
 * Owned by the caller. */
struct json_object *render_json_new(bool ok);
/* One JSON object to stdout: indented on a terminal, one line otherwise. */
void render_json(struct json_object *o);
/* One JSON object on one line, flushed: an element of a stream. */
void render_json_line(struct json_object *o);

/*
 * The error of an answer, where that has one: "pd: message" on stderr, or the JSON error object on
 * stdout with --json.  Returns the outcome's exit code.
 */
int render_outcome(bool json, enum outcome outcome, struct json_object *answer);
/* The error object of the API's shape for a failure of pd itself.  Owned by the caller. */
struct json_object *render_error_object(enum outcome outcome, const char *message);
/* Renders one; returns the outcome's exit code. */
int render_fail(bool json, enum outcome outcome, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The same for a fault of the command line itself: exit code 2. */
int render_usage_error(const struct command_line *line, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
