/* SPDX-License-Identifier: MIT */
#include "cli/render/render.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/outcome.h"
#include "cli/client/answer.h"
#include "cli/command.h"
#include "cli/render/terminal.h"

/* ECMA-48, as every terminal of the last decades knows it: EL; CUP and ED. */
#define ERASE_LINE     "\033[K"
#define HOME_AND_ERASE "\033[H\033[J"

static void __attribute__((format(printf, 2, 0)))
put(enum render_tone tone, const char *format, va_list args)
{
	const char *start = terminal_tone_start(tone);
	char text[TERMINAL_TEXT_MAX_BYTES];

	terminal_format(text, format, args);
	if (start)
		printf("%s%s%s", start, text, TERMINAL_TONE_END);
	else
		fputs(text, stdout);
}

void render_text(enum render_tone tone, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put(tone, format, args);
	va_end(args);
}

void render_line(enum render_tone tone, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put(tone, format, args);
	va_end(args);
	render_newline();
}

/* A bound on what is escaped at once: eight bytes for each at worst. */
#define PIECE_BYTES (TERMINAL_TEXT_MAX_BYTES / 8 - 8)

void render_long_text(const char *text)
{
	while (*text) {
		size_t n = strnlen(text, PIECE_BYTES);

		/* not inside of a character */
		while (text[n] && n > 1 && ((unsigned char)text[n] & 0xC0) == 0x80)
			n--;
		render_text(TONE_PLAIN, "%.*s", (int)n, text);
		text += n;
	}
}

void render_newline(void)
{
	putchar('\n');
}

static void __attribute__((format(printf, 1, 0))) put_note(const char *format, va_list args)
{
	char text[TERMINAL_TEXT_MAX_BYTES];

	terminal_format(text, format, args);
	/* Notes and results meet on one terminal: keep them in the order in which they were made.
	 */
	fflush(stdout);
	fprintf(stderr, "pd: %s\n", text);
}

void render_note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put_note(format, args);
	va_end(args);
}

void render_say(bool quiet, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (!quiet)
		put_note(format, args);
	va_end(args);
}

static bool in_progress;

void *render_must(void *allocated)
{
	if (!allocated) {
		fputs("pd: out of memory\n", stderr);
		exit(outcome_row(OUTCOME_FAILED)->exit_code);
	}
	return allocated;
}

void render_progress(const char *format, ...)
{
	char text[TERMINAL_TEXT_MAX_BYTES];
	va_list args;

	if (!isatty(STDERR_FILENO))
		return;
	va_start(args, format);
	terminal_format(text, format, args);
	va_end(args);
	fflush(stdout);
	fprintf(stderr, "\r%s" ERASE_LINE, text);
	in_progress = true;
}

void render_progress_end(void)
{
	if (in_progress)
		fputs("\r" ERASE_LINE, stderr);
	in_progress = false;
}

bool render_can_redraw(void)
{
	const char *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && (!term || strcmp(term, "dumb") != 0);
}

void render_redraw(void)
{
	fputs(HOME_AND_ERASE, stdout);
}

int render_outcome(bool json, enum outcome outcome, struct json_object *answer)
{
	if (outcome != OUTCOME_OK && json)
		render_json(answer);
	else if (outcome != OUTCOME_OK)
		render_note("%s", answer_error_message(answer));
	return outcome_row(outcome)->exit_code;
}

int render_fail(bool json, enum outcome outcome, const char *format, ...)
{
	_cleanup_(answer_freep) struct json_object *o = NULL;
	char message[TERMINAL_TEXT_MAX_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	o = render_error_object(outcome, message);
	return render_outcome(json, outcome, o);
}

int render_usage_error(const struct command_line *line, const char *format, ...)
{
	const struct command *command = line->command;
	char message[TERMINAL_TEXT_MAX_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	if (line->json)
		return render_fail(true, OUTCOME_BAD_REQUEST, "%s", message);
	render_note("%s%s%s", command ? command->name : "", command ? ": " : "", message);
	return outcome_row(OUTCOME_BAD_REQUEST)->exit_code;
}
