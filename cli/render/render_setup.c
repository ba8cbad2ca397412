/* SPDX-License-Identifier: MIT */
#include "cli/render/render.h"

#include <langinfo.h>
#include <locale.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/render/terminal.h"

/*
 * Both are found out when something asks for the first time: what a script reads, mostly a number,
 * needs neither, and the locale's files take longer to open than the number to be asked for.
 */
enum answer { NOT_ASKED = 0, NO, YES };

static enum answer utf8, colors;
static const char *color_option;

/* The locale's name as setlocale(LC_CTYPE, "") looks for it. */
static const char *wanted_locale(void)
{
	static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *value = getenv(names[i]);

		if (value && *value)
			return value;
	}
	return "C";
}

static bool decide_utf8(void)
{
	const char *wanted = wanted_locale();

	/* A container often has LANG=en_US.UTF-8 and no locale installed but C.UTF-8. */
	if (!setlocale(LC_CTYPE, "") && (strcasestr(wanted, "utf-8") || strcasestr(wanted, "utf8")))
		setlocale(LC_CTYPE, "C.UTF-8");
	return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

static bool decide_colors(void)
{
	const char *when = color_option;
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	if (when && strcmp(when, "always") == 0)
		return true;
	if (when && strcmp(when, "never") == 0)
		return false;
	if (no_color && *no_color)
		return false;
	return isatty(STDOUT_FILENO) && (!term || strcmp(term, "dumb") != 0);
}

void render_setup(const char *color_when)
{
	color_option = color_when;
	utf8 = colors = NOT_ASKED;
}

bool render_is_utf8(void)
{
	if (utf8 == NOT_ASKED)
		utf8 = decide_utf8() ? YES : NO;
	return utf8 == YES;
}

const char *render_either(const char *in_utf8, const char *plain)
{
	return render_is_utf8() ? in_utf8 : plain;
}

const char *render_sign(enum render_tone tone)
{
	static const char *const signs[][2] = {
		[TONE_PLAIN] = { "", "" },	 [TONE_GOOD] = { "ok", "✅" },
		[TONE_WARN] = { "!", "⚠️" }, [TONE_BAD] = { "x", "❌" },
		[TONE_DIM] = { "", "" },
	};

	return signs[tone][render_is_utf8()];
}

bool terminal_has_colors(void)
{
	if (colors == NOT_ASKED)
		colors = decide_colors() ? YES : NO;
	return colors == YES;
}

const char *terminal_tone_start(enum render_tone tone)
{
	static const char *const sequences[] = {
		[TONE_GOOD] = "\033[32m",
		[TONE_WARN] = "\033[33m",
		[TONE_BAD] = "\033[31m",
		[TONE_DIM] = "\033[2m",
	};

	return sequences[tone] && terminal_has_colors() ? sequences[tone] : NULL;
}

static bool is_ascii(const char *s)
{
	while (*s && (uint8_t)*s < 0x80)
		s++;
	return !*s;
}

/*
 * Bytes above ASCII mean anything, C1 controls too, where the locale is not UTF-8.  The arrow of
 * two ports is the daemon's own, and is written as pd writes it there.
 */
static void escape_high_bytes(const char *s, char *ret, size_t size)
{
	static const char arrow[] = "→";
	size_t used = 0;

	for (; *s && used + sizeof("\\xNN") <= size; s++) {
		if ((uint8_t)*s < 0x80) {
			ret[used++] = *s;
		} else if (!strncmp(s, arrow, strlen(arrow))) {
			used += (size_t)snprintf(ret + used, size - used, "->");
			s += strlen(arrow) - 1;
		} else {
			used += (size_t)snprintf(ret + used, size - used, "\\x%02x", (uint8_t)*s);
		}
	}
	ret[used] = '\0';
}

char *terminal_text(char ret[static TERMINAL_TEXT_MAX_BYTES], const char *format, ...)
{
	va_list args;

	va_start(args, format);
	terminal_format(ret, format, args);
	va_end(args);
	return ret;
}

char *terminal_format(char ret[static TERMINAL_TEXT_MAX_BYTES], const char *format, va_list args)
{
	char raw[TERMINAL_TEXT_MAX_BYTES];
	char escaped[TERMINAL_TEXT_MAX_BYTES];

	vsnprintf(raw, sizeof(raw), format, args);
	/* of other text the locale need not be known, and is when the width of any is measured */
	if (is_ascii(raw) || render_is_utf8())
		return text_escape_terminal(raw, ret, TERMINAL_TEXT_MAX_BYTES);
	text_escape_terminal(raw, escaped, sizeof(escaped));
	escape_high_bytes(escaped, ret, TERMINAL_TEXT_MAX_BYTES);
	return ret;
}
