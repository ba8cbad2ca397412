/* SPDX-License-Identifier: MIT */
#include "cli/render/render.h"

#include <json-c/json.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include "base/outcome.h"
#include "base/text.h"
#include "cli/render/terminal.h"

/*
 * json-c escapes what JSON demands, C0 controls and the quotes.  DEL, the C1 controls (U+009B is
 * an escape sequence's start) and the bidirectional controls pass, and may reach a terminal.
 */
static bool is_hazard(uint32_t c)
{
	return c == 0x7f || (c >= 0x80 && c <= 0x9f) || c == 0x61c || c == 0x200e || c == 0x200f ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

/* The code point of a sequence of up to three bytes and its length; longer ones are no hazard. */
static uint32_t decode(const char *s, int *ret_length)
{
	const uint8_t *u = (const uint8_t *)s;

	*ret_length = 1;
	if (u[0] < 0xc0 || u[0] >= 0xf0 || (u[1] & 0xc0) != 0x80)
		return u[0] == 0x7f ? 0x7f : 0;
	*ret_length = 2;
	if (u[0] < 0xe0)
		return (uint32_t)(u[0] & 0x1f) << 6 | (u[1] & 0x3f);
	if ((u[2] & 0xc0) != 0x80)
		return 0;
	*ret_length = 3;
	return (uint32_t)(u[0] & 0x0f) << 12 | (uint32_t)(u[1] & 0x3f) << 6 | (u[2] & 0x3f);
}

static void put_json(struct json_object *o, int style)
{
	const char *s = json_object_to_json_string_ext(o, style | JSON_C_TO_STRING_NOSLASHESCAPE);
	const char *from = s;

	while (*s) {
		int length;
		uint32_t c = decode(s, &length);

		if (is_hazard(c)) {
			fwrite(from, 1, (size_t)(s - from), stdout);
			printf("\\u%04x", c);
			from = s + length;
		}
		s += length;
	}
	fwrite(from, 1, (size_t)(s - from), stdout);
	putchar('\n');
}

struct json_object *render_json_new(bool ok)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "ok", json_object_new_boolean(ok));
	json_object_object_add(o, "version", json_object_new_int(1));
	return o;
}

void render_json(struct json_object *o)
{
	put_json(o, isatty(STDOUT_FILENO) ? JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED
					  : JSON_C_TO_STRING_PLAIN);
}

void render_json_line(struct json_object *o)
{
	put_json(o, JSON_C_TO_STRING_PLAIN);
	fflush(stdout);
}

struct json_object *render_error_object(enum outcome outcome, const char *message)
{
	struct json_object *o = render_json_new(false);
	struct json_object *error = json_object_new_object();
	char text[TERMINAL_TEXT_MAX_BYTES];

	/* It may quote an argument, which is any bytes. */
	text_to_utf8(message, text, sizeof(text));
	json_object_object_add(error, "code", json_object_new_string(outcome_row(outcome)->code));
	json_object_object_add(error, "message", json_object_new_string(text));
	json_object_object_add(o, "error", error);
	return o;
}
