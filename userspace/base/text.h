/* SPDX-License-Identifier: MIT */
/* Bytes that came from elsewhere, made fit for JSON and for a terminal.  Pure. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* True when the n bytes are well-formed UTF-8 (no overlongs, no surrogates, <= U+10FFFF). */
bool text_is_utf8(const char *s, size_t n);

/*
 * Copies s with each malformed byte replaced by U+FFFD so that the result is valid UTF-8, cut at a
 * character boundary to fit size (with its NUL).  Returns ret.
 */
char *text_to_utf8(const char *s, char *ret, size_t size);

/*
 * Copies s with everything that could move a cursor, start an escape sequence or reorder text
 * (C0, DEL, C1, bidirectional controls, malformed bytes) written as \n, \t, \e, \xNN or \u{NNNN}.
 * Cut at a character boundary to fit size.  Returns ret.
 */
char *text_escape_terminal(const char *s, char *ret, size_t size);

bool text_begins_with(const char *s, const char *begin);
bool text_ends_with(const char *s, const char *end);
bool text_is_one_of(const char *s, const char *const *list, size_t n);
/* What stands behind the last slash of a path, within it. */
const char *text_base_name(const char *path);

/* Damerau-Levenshtein distance (optimal string alignment), for "did you mean"; strings <= 64. */
unsigned text_distance(const char *a, const char *b);
/*
 * Which of two names was meant: `best`, which an earlier call has returned (NULL at first), or
 * `candidate` where that is nearer.  NULL while none is near enough to be no noise.
 */
const char *text_nearer(const char *given, const char *best, const char *candidate);

/* A path or name that a shell takes as one word without quotes, and no program as an option. */
bool text_is_shell_word(const char *s);

/*
 * Writes s as one word of a shell's command line: as it is, or in single quotes.  False, and "",
 * where a command cannot name it: what text_escape_terminal() would change, what begins like an
 * option, or more than fits.
 */
bool text_shell_quote(const char *s, char *ret, size_t size);

#endif
