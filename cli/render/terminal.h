/* SPDX-License-Identifier: MIT */
/* What the renderers share: the colours of tones, and text made fit for this terminal. */
#ifndef CLI_RENDER_TERMINAL_H
#define CLI_RENDER_TERMINAL_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "cli/render/render.h"

/* Longest text of one cell, field or line; what is longer is cut at a character. */
#define TERMINAL_TEXT_MAX_BYTES 8192

bool terminal_has_colors(void);
/* The escape sequence of a tone; NULL when it is printed plainly. */
const char *terminal_tone_start(enum render_tone tone);
#define TERMINAL_TONE_END "\033[0m"

/* Formats, then escapes for this terminal, into ret.  Returns ret. */
char *terminal_format(char ret[static TERMINAL_TEXT_MAX_BYTES], const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

/* The same of a format's arguments. */
char *terminal_text(char ret[static TERMINAL_TEXT_MAX_BYTES], const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Columns that a text fills, whose colours fill none; text that terminal_format() made fit. */
int terminal_width(const char *text, const char *end);
/* The bytes of it that fit into so many columns; the bytes that fill at least so many. */
size_t terminal_fit(const char *text, const char *end, int columns);
size_t terminal_skip(const char *text, const char *end, int columns);

#endif
