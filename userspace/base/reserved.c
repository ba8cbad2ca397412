/* SPDX-License-Identifier: MIT */
#include "base/reserved.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

#define SYSCTL_FIRST_BYTES 1024
/* Every second port, in words: 196 kB; the kernel writes neighbours as a range. */
#define SYSCTL_MAX_BYTES (256 * 1024)

/* A number at *text, which moves behind it; -1 when there is none. */
static long read_number(const char **text)
{
	char *end;
	long number;

	if (!isdigit((unsigned char)**text))
		return -1;
	number = strtol(*text, &end, 10);
	*text = end;
	return number;
}

bool reserved_in_range(const char *text, uint16_t port)
{
	long first = read_number(&text), last;

	if (first < 0)
		return false;
	while (*text == ' ' || *text == '\t')
		text++;
	last = read_number(&text);
	return last >= 0 && port >= first && port <= last;
}

/* The next one of a list; *text moves behind it.  False at the end. */
static bool read_range(const char **text, long *ret_first, long *ret_last)
{
	while (**text) {
		*ret_first = *ret_last = read_number(text);
		if (*ret_first < 0) {
			(*text)++;
			continue;
		}
		if (**text == '-') {
			(*text)++;
			*ret_last = read_number(text);
		}
		return true;
	}
	return false;
}

bool reserved_in_list(const char *text, uint16_t port)
{
	return reserved_of_range(text, port, port) > 0;
}

int reserved_of_range(const char *text, uint16_t first, uint16_t last)
{
	long from, to, n = 0;

	while (read_range(&text, &from, &to)) {
		from = from > first ? from : first;
		to = to < last ? to : last;
		n += to >= from ? to - from + 1 : 0;
	}
	return (int)n;
}

static bool grow(struct sysctl_file *file)
{
	size_t size = file->size ? 2 * file->size : SYSCTL_FIRST_BYTES;
	char *text = size <= SYSCTL_MAX_BYTES ? realloc(file->text, size) : NULL;

	if (!text)
		return false;
	file->text = text;
	file->size = size;
	return true;
}

/*
 * The kernel gives a list at one go, cut to the buffer, and nothing to a second read: stdio would
 * see the first 1024 bytes.  So what fills the buffer is read again into a larger one.
 */
bool sysctl_file_read(struct sysctl_file *file, const char *path)
{
	if (file->fd < 0)
		file->fd = open(path, O_RDONLY | O_CLOEXEC);
	while (file->size || grow(file)) {
		ssize_t n = pread(file->fd, file->text, file->size, 0);

		if (n < 0)
			return false;
		if ((size_t)n < file->size) {
			file->text[n] = '\0';
			return true;
		}
		if (!grow(file))
			return false;
	}
	return false;
}

void sysctl_file_deinit(struct sysctl_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	free(file->text);
}
