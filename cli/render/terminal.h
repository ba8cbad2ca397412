/* SPDX-License-Identifier: MIT */
/* What the renderers share: the colours of tones, and text made fit for this terminal. */
#ifndef CLI_RENDER_TERMINAL_H
#define CLI_RENDER_TERMINAL_H

#include <stdarg.h>
#include <stdbool.h>

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

#endif
