/* SPDX-License-Identifier: MIT */
/* Text in columns: how many it fills, and lines that end where the terminal does. */
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#include "cli/render/render.h"
#include "cli/render/terminal.h"

#define FIELD_LABEL_WIDTH 12 /* of "Label:" with the spaces behind it */
#define WRAP_ROOM_MIN	  24 /* in less of a line no text is set: it begins a new one */
#define WRAP_INDENT_MIN	  4
#define WRAP_COLUMNS_MIN  20 /* a narrower terminal wraps as it likes */

/* Columns and bytes of the character at `text`; the colours' sequences fill none. */
static int step(const char *text, const char *end, size_t *ret_bytes)
{
	mbstate_t state = { 0 };
	wchar_t c;
	size_t n;

	*ret_bytes = 1;
	if (*text >= ' ' && *text <= '~')
		return 1;
	if (*text == '\033') {
		const char *last = memchr(text, 'm', (size_t)(end - text));

		*ret_bytes = (size_t)((last ? last + 1 : end) - text);
		return 0;
	}
	n = mbrtowc(&c, text, (size_t)(end - text), &state);
	if (n == 0 || n > (size_t)(end - text))
		return 0; /* what is printed was made valid: this is not reached */
	*ret_bytes = n;
	return wcwidth(c) > 0 ? wcwidth(c) : 0;
}

int terminal_width(const char *text, const char *end)
{
	int width = 0;
	size_t n;

	for (; text < end; text += n)
		width += step(text, end, &n);
	return width;
}

size_t terminal_fit(const char *text, const char *end, int columns)
{
	const char *at = text;
	size_t n;

	while (at < end) {
		columns -= step(at, end, &n);
		if (columns < 0)
			break;
		at += n;
	}
	return (size_t)(at - text);
}

size_t terminal_skip(const char *text, const char *end, int columns)
{
	const char *at = text;
	size_t n;

	for (; at < end && columns > 0; at += n)
		columns -= step(at, end, &n);
	return (size_t)(at - text);
}

int render_width(const char *text)
{
	char shown[TERMINAL_TEXT_MAX_BYTES];

	terminal_text(shown, "%s", text);
	return terminal_width(shown, shown + strlen(shown));
}

int render_columns(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0)
		return 0;
	return size.ws_col;
}

const char *render_cut(const char *text, int columns, char ret[static RENDER_CUT_SIZE])
{
	const char *mark = render_either("…", "...");
	char shown[TERMINAL_TEXT_MAX_BYTES];
	const char *end = shown + strlen(terminal_text(shown, "%s", text));
	size_t room = RENDER_CUT_SIZE - sizeof("..."), n = (size_t)(end - shown);

	if (n <= room && terminal_width(shown, end) <= columns) {
		memcpy(ret, shown, n + 1);
		return ret;
	}
	n = terminal_fit(shown, end,
			 columns > render_width(mark) ? columns - render_width(mark) : 0);
	while (n > room || (n && ((unsigned char)shown[n] & 0xC0) == 0x80))
		n--;
	snprintf(ret, RENDER_CUT_SIZE, "%.*s%s", (int)n, shown, mark);
	return ret;
}

/* The bytes of a line: to the last blank that fits, or in the middle of a word that never does. */
static size_t line_bytes(const char *text, const char *end, int room)
{
	size_t n = terminal_fit(text, end, room), blank = n;

	if (text + n == end || text[n] == ' ')
		return n;
	while (blank && text[blank] != ' ')
		blank--;
	if (blank)
		return blank;
	return n ? n : (size_t)(end - text);
}

int render_head(int column, int width, const char *name)
{
	int columns = render_columns(), own = render_width(name);

	if (columns && own > width && column + own + WRAP_ROOM_MIN > columns) {
		render_wrapped(TONE_PLAIN, column, WRAP_INDENT_MIN, 0, name);
		render_text(TONE_PLAIN, "%*s", WRAP_INDENT_MIN, "");
		return WRAP_INDENT_MIN;
	}
	render_text(TONE_PLAIN, "%s%*s", name, own < width ? width - own : 0, "");
	return column + (own > width ? own : width);
}

void render_wrapped(enum render_tone tone, int column, int indent, int pipe_columns,
		    const char *text)
{
	int columns = render_columns() ? render_columns() : pipe_columns;
	char shown[TERMINAL_TEXT_MAX_BYTES];
	const char *end = shown + strlen(terminal_text(shown, "%s", text)), *at = shown;

	if (columns == 0)
		columns = INT_MAX;
	else if (columns < WRAP_COLUMNS_MIN)
		columns = WRAP_COLUMNS_MIN;
	if (columns - indent < WRAP_ROOM_MIN)
		indent = WRAP_INDENT_MIN;
	while (at < end) {
		size_t n = line_bytes(at, end, columns - column);

		if (column > indent && columns - column < WRAP_ROOM_MIN && at + n < end)
			n = 0; /* a few words beside a long head: below it they are read better */
		render_text(tone, "%.*s", (int)n, at);
		at += n;
		at += strspn(at, " ");
		render_newline();
		column = indent;
		if (at < end)
			render_text(TONE_PLAIN, "%*s", indent, "");
	}
}

int render_sign_and_blank(enum render_tone tone)
{
	const char *sign = render_sign(tone);
	/* Many terminals draw the warning sign over the column behind it: it gets one more. */
	int blanks = !*sign ? 0 : tone == TONE_WARN && render_is_utf8() ? 2 : 1;

	printf("%s%*s", sign, blanks, "");
	return render_width(sign) + blanks;
}

void render_field(const char *label, enum render_tone tone, bool sign, const char *format, ...)
{
	char text[TERMINAL_TEXT_MAX_BYTES];
	char head[FIELD_LABEL_WIDTH + 32];
	int sign_width = 0;
	va_list args;

	snprintf(head, sizeof(head), "%s%s", label, *label ? ":" : "");
	printf("%-*s", FIELD_LABEL_WIDTH, head);
	if (sign)
		sign_width = render_sign_and_blank(tone);
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	render_wrapped(sign ? TONE_PLAIN : tone, FIELD_LABEL_WIDTH + sign_width, FIELD_LABEL_WIDTH,
		       0, text);
}
