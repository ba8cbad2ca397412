/* SPDX-License-Identifier: MIT */
#include "cli/supervise/log_reader.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

#define BLOCK_BYTES (64 * 1024)

/* --- where to begin --- */

/*
 * The offset behind which a file has so many lines, or 0; what is missing of them is left in
 * *wanted.
 */
static off_t find_last(FILE *f, size_t *wanted)
{
	static char block[BLOCK_BYTES];
	struct stat st;
	off_t end = fstat(fileno(f), &st) ? 0 : st.st_size;
	bool is_last = true; /* the newline that ends the last line begins none */

	while (end > 0 && *wanted) {
		size_t n = end < BLOCK_BYTES ? (size_t)end : BLOCK_BYTES;

		if (pread(fileno(f), block, n, end - (off_t)n) != (ssize_t)n)
			return 0;
		for (size_t i = n; i > 0; i--) {
			if (block[i - 1] != '\n')
				continue;
			if (!is_last && !--*wanted)
				return end - (off_t)n + (off_t)i;
			is_last = false;
		}
		end -= (off_t)n;
	}
	if (!is_last && *wanted)
		--*wanted; /* the first line */
	return end > 0 ? st.st_size : 0;
}

static void seek_to_last(struct log_reader *r, size_t last)
{
	for (int i = LOG_FILES - 1; i >= 0; i--) {
		off_t at = r->files[i] ? find_last(r->files[i], &last) : 0;

		if (r->files[i])
			fseeko(r->files[i], at, SEEK_SET);
	}
}

/* A line that is whole, at the end of `f`; false where there is none yet. */
static bool read_line(struct log_reader *r, FILE *f)
{
	off_t at = ftello(f);
	ssize_t n = getline(&r->bytes, &r->size, f);

	if (n > 0 && r->bytes[n - 1] == '\n') {
		size_t stamp = (size_t)n > LOG_FILE_STAMP_LEN ? LOG_FILE_STAMP_LEN : 0;

		r->bytes[n - 1] = '\0';
		r->stamp = r->bytes;
		r->line = r->bytes + stamp;
		r->n = (size_t)n - 1 - stamp;
		return true;
	}
	clearerr(f);
	fseeko(f, at, SEEK_SET);
	return false;
}

static bool is_since(const struct log_reader *r, const char *since)
{
	return strncmp(r->stamp, since, strlen(since)) >= 0;
}

static void skip_older(struct log_reader *r, const char *since)
{
	for (int i = 0; i < LOG_FILES; i++) {
		off_t at = r->files[i] ? ftello(r->files[i]) : 0;

		while (r->files[i] && read_line(r, r->files[i])) {
			if (!is_since(r, since)) {
				at = ftello(r->files[i]);
				continue;
			}
			fseeko(r->files[i], at, SEEK_SET);
			return;
		}
	}
}

static size_t count_lines(const struct log_reader *r)
{
	size_t lines = 0;

	for (int i = 0; i < LOG_FILES; i++) {
		static char block[BLOCK_BYTES];
		off_t at = r->files[i] ? ftello(r->files[i]) : 0;
		ssize_t n;

		while (r->files[i] &&
		       (n = pread(fileno(r->files[i]), block, sizeof(block), at)) > 0) {
			for (ssize_t j = 0; j < n; j++)
				lines += block[j] == '\n';
			at += n;
		}
	}
	return lines;
}

/* --- files --- */

static FILE *open_newest(struct log_reader *r)
{
	FILE *f = fopen(r->path, "re");
	struct stat st;

	r->newest = f && !fstat(fileno(f), &st) ? st.st_ino : 0;
	return f;
}

int log_reader_open(struct log_reader *r, const char *service, size_t last, const char *since)
{
	char directory[PATH_MAX], name[NAME_MAX + 1], path[PATH_MAX + NAME_MAX + 2];
	int fault = log_file_directory(directory);

	*r = (struct log_reader){ 0 };
	if (fault)
		return fault;
	if (snprintf(r->path, sizeof(r->path), "%s/%s", directory,
		     log_file_name(service, 0, name)) >= (int)sizeof(r->path))
		return -ENAMETOOLONG;
	for (int i = 0; i < LOG_FILES - 1; i++) {
		snprintf(path, sizeof(path), "%s/%s", directory,
			 log_file_name(service, LOG_FILES - 1 - i, name));
		r->files[i] = fopen(path, "re");
	}
	r->files[LOG_FILES - 1] = open_newest(r);
	if (!r->newest && errno != ENOENT)
		return -errno;
	seek_to_last(r, last);
	if (since)
		skip_older(r, since);
	r->n_lines = count_lines(r);
	return 0;
}

/* Is the file that is read the newest no more? */
static bool was_replaced(const struct log_reader *r)
{
	struct stat st;

	return !stat(r->path, &st) && st.st_ino != r->newest;
}

static void close_file(FILE **f)
{
	if (*f)
		fclose(*f);
	*f = NULL;
}

bool log_reader_next(struct log_reader *r)
{
	FILE **newest = &r->files[LOG_FILES - 1];

	for (int i = 0; i < LOG_FILES - 1; i++) {
		if (r->files[i] && read_line(r, r->files[i]))
			return true;
		close_file(&r->files[i]);
	}
	if (*newest && read_line(r, *newest))
		return true;
	if (!was_replaced(r))
		return false;
	/* what was written between the last read and the change of its name */
	if (*newest && read_line(r, *newest))
		return true;
	close_file(newest);
	*newest = open_newest(r);
	return *newest && read_line(r, *newest);
}

void log_reader_close(struct log_reader *r)
{
	for (int i = 0; i < LOG_FILES; i++)
		close_file(&r->files[i]);
	free(r->bytes);
	r->bytes = NULL;
}
