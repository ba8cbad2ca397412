/* SPDX-License-Identifier: MIT */
/* Bytes of processes and clients, made fit for JSON and for a terminal. */
#include "base/text.h"

#include "fuzz/fuzz.h"

#define SIZE_MAX_TRIED 64 /* texts are cut to every size below, too */

static bool is_printable(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
	return true;
}

int fuzz(const uint8_t *bytes, size_t size)
{
	char *text = fuzz_text(bytes, size), cut[SIZE_MAX_TRIED];
	size_t room = 8 * size + 16;
	_cleanup_free_ char *utf8 = malloc(room), *again = malloc(room), *shown = malloc(room);
	/* one more than there is, to see what is done with a size of 0 */
	size_t tried = size ? bytes[0] % SIZE_MAX_TRIED : 0;

	must(utf8 && again && shown);
	text_to_utf8(text, utf8, room);
	must(text_is_utf8(utf8, strlen(utf8)));
	must(text_is_utf8(text, strlen(text)) == (strcmp(text, utf8) == 0));
	text_escape_terminal(text, shown, room);
	must(text_is_utf8(shown, strlen(shown)) && is_printable(shown));
	/* nothing is left that would be escaped */
	must(strcmp(text_escape_terminal(shown, again, room), shown) == 0);
	if (tried > 0) {
		must(strlen(text_to_utf8(text, cut, tried)) < tried);
		must(text_is_utf8(cut, strlen(cut)) && strncmp(cut, utf8, strlen(cut)) == 0);
		must(strlen(text_escape_terminal(text, cut, tried)) < tried);
		must(text_is_utf8(cut, strlen(cut)) && strncmp(cut, shown, strlen(cut)) == 0);
	}
	must(text_distance(text, text) == 0 || strlen(text) > 64);
	must(text_distance(text, "cleanupAge") == text_distance("cleanupAge", text));
	free(text);
	return 0;
}
