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
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"

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

/* What is left of an input that is taken apart from its front; zeros stand behind its end. */
struct fuzz_input {
	const uint8_t *bytes;
	size_t size;
};

static inline void fuzz_take(struct fuzz_input *in, void *ret, size_t n)
{
	size_t there = n < in->size ? n : in->size;

	memset(ret, 0, n);
	if (there)
		memcpy(ret, in->bytes, there);
	in->bytes += there;
	in->size -= there;
}

static inline uint8_t fuzz_take_byte(struct fuzz_input *in)
{
	uint8_t byte;

	fuzz_take(in, &byte, 1);
	return byte;
}

/* A text of less than that many bytes, which ends where a NUL or a newline stands; free() it. */
static inline char *fuzz_take_line(struct fuzz_input *in, size_t size)
{
	size_t n = 0;
	char *line;

	while (n < in->size && n + 1 < size && in->bytes[n] && in->bytes[n] != '\n')
		n++;
	line = fuzz_text(in->bytes, n);
	n += n < in->size;
	in->bytes += n;
	in->size -= n;
	return line;
}

/* A file that has the bytes, read from its beginning; close() it. */
static inline int fuzz_file(const uint8_t *bytes, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	must(fd >= 0 && write(fd, bytes, size) == (ssize_t)size && lseek(fd, 0, SEEK_SET) == 0);
	return fd;
}

/* Is the array of that size a text that ends within it? */
static inline bool fuzz_ends(const char *text, size_t size)
{
	return memchr(text, '\0', size) != NULL;
}

#endif
