/* SPDX-License-Identifier: MIT */
/*
 * What the fuzz targets share.  A target is one file with fuzz(): any bytes go in, and what must
 * hold of the answer is asserted; that nothing is read or written out of bounds is what the
 * sanitizers are for.  Built by `make fuzz` with libFuzzer, which looks for inputs, and with
 * replay.c, which plays back those of corpus/TARGET.
 */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define fuzz LLVMFuzzerTestOneInput /* libFuzzer's name for it */
int fuzz(const uint8_t *bytes, size_t size);

/* As assert(), and said where a fuzzer's log is read. */
#define must(condition)                                                                      \
	do {                                                                                 \
		if (!(condition)) {                                                          \
			fprintf(stderr, "%s:%d: not: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                             \
		}                                                                            \
	} while (0)

/* The bytes with a NUL behind them, and nothing more that could be read by mistake; free() it. */
static inline char *fuzz_text(const uint8_t *bytes, size_t size)
{
	char *text = malloc(size + 1);

	must(text);
	if (size)
		memcpy(text, bytes, size);
	text[size] = '\0';
	return text;
}

/* Is the array of that size a text that ends within it? */
static inline bool fuzz_ends(const char *text, size_t size)
{
	return memchr(text, '\0', size) != NULL;
}

#endif
