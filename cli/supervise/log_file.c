/* SPDX-License-Identifier: MIT */
#include "cli/supervise/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/paths.h"
#include "cli/supervise/lines.h"

#define DIRECTORY   "logs"
#define US_PER_S    1000000
#define NOTE_BYTES  256
#define BUFFER_SIZE (LINES_MAX_BYTES + LOG_FILE_STAMP_SIZE + NOTE_BYTES)

/* --- names --- */

int log_file_directory(char ret[static PATH_MAX])
{
	char state[PATH_MAX];
	int r = paths_state_dir(false, geteuid(), state, sizeof(state));

	if (r)
		return r;
	return snprintf(ret, PATH_MAX, "%s/" DIRECTORY, state) < PATH_MAX ? 0 : -ENAMETOOLONG;
}

const char *log_file_name(const char *service, int n, char ret[static NAME_MAX + 1])
{
	if (n)
		snprintf(ret, NAME_MAX + 1, "%.200s.log.%d", service, n);
	else
		snprintf(ret, NAME_MAX + 1, "%.200s.log", service);
	return ret;
}

const char *log_file_stamp(int64_t unix_us, char ret[static LOG_FILE_STAMP_SIZE])
{
	time_t s = unix_us / US_PER_S;
	char text[sizeof("2026-11-29T02:47:23")];
	struct tm tm;

	gmtime_r(&s, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(ret, LOG_FILE_STAMP_SIZE, "%s.%06dZ ", text, (int)(unix_us % US_PER_S));
	return ret;
}

/* --- files --- */

int log_file_make_directory(char ret[static PATH_MAX])
{
	int r = log_file_directory(ret);
	char *slash;

	if (r)
		return r;
	slash = strrchr(ret, '/');
	*slash = '\0';
	if (mkdir(ret, 0700) && errno != EEXIST)
		return -errno;
	*slash = '/';
	return mkdir(ret, 0700) && errno != EEXIST ? -errno : 0;
}

static int open_file(struct log_file *f)
{
	struct stat st;

	f->fd = open(f->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (f->fd < 0)
		return -errno;
	f->size = fstat(f->fd, &st) ? 0 : (size_t)st.st_size;
	return 0;
}

static int open_first(struct log_file *f, const char *service)
{
	char directory[PATH_MAX], name[NAME_MAX + 1];
	int r;

	*f = (struct log_file){ .fd = -1, .bytes = malloc(BUFFER_SIZE) };
	r = f->bytes ? log_file_make_directory(directory) : -ENOMEM;
	if (r)
		return r;
	if (snprintf(f->path, sizeof(f->path), "%s/%s", directory,
		     log_file_name(service, 0, name)) >= (int)sizeof(f->path))
		return -ENAMETOOLONG;
	return open_file(f);
}

int log_file_open(struct log_file *f, const char *service)
{
	int r = open_first(f, service);

	f->error = -r;
	f->is_told = r != 0;
	return r;
}

/* Where a name cannot be changed, the file goes on to grow: better than a line that is lost. */
static void rotate(struct log_file *f)
{
	char from[PATH_MAX + 4], to[PATH_MAX + 4];

	for (int n = LOG_FILES - 1; n > 0; n--) {
		snprintf(to, sizeof(to), "%s.%d", f->path, n);
		if (n > 1)
			snprintf(from, sizeof(from), "%s.%d", f->path, n - 1);
		else
			snprintf(from, sizeof(from), "%s", f->path);
		rename(from, to);
	}
	close(f->fd);
	open_file(f);
}

/* --- lines --- */

static int64_t now_us(void)
{
	return (int64_t)clock_us(CLOCK_REALTIME);
}

/* All of it or nothing: half a line would spoil the next one. */
static int write_bytes(struct log_file *f, const char *bytes, size_t n)
{
	size_t written = 0;

	if (f->fd < 0)
		return -EBADF;
	while (written < n) {
		ssize_t r = write(f->fd, bytes + written, n - written);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0) {
			int error = r ? errno : ENOSPC;

			if (written && ftruncate(f->fd, (off_t)f->size))
				f->size += written;
			return -error;
		}
		written += (size_t)r;
	}
	f->size += n;
	return 0;
}

static uint64_t count_lines(const char *bytes, size_t n)
{
	uint64_t lines = 0;

	for (size_t i = 0; i < n; i++)
		lines += bytes[i] == '\n';
	return lines;
}

static int write_gap(struct log_file *f)
{
	char text[NOTE_BYTES], stamp[LOG_FILE_STAMP_SIZE];
	int n, r;

	if (!f->missed)
		return 0;
	n = snprintf(text, sizeof(text), "%s[pd: %" PRIu64 " lines are missing here: %s]\n",
		     log_file_stamp(now_us(), stamp), f->missed, strerror(f->error));
	r = write_bytes(f, text, (size_t)n);
	if (!r)
		f->missed = 0;
	return r;
}

static void write_out(struct log_file *f)
{
	int r;

	if (f->fd >= 0 && f->size + f->n > LOG_FILE_MAX_BYTES && f->size)
		rotate(f);
	r = write_gap(f);
	r = r ?: write_bytes(f, f->bytes, f->n);
	if (r)
		f->missed += count_lines(f->bytes, f->n);
	f->error = -r;
	f->n = 0;
}

int log_file_flush(struct log_file *f)
{
	bool was_told = f->is_told;

	if (f->n)
		write_out(f);
	f->is_told = f->error != 0;
	return f->error && !was_told ? -f->error : 0;
}

void log_file_add(struct log_file *f, const char *line, size_t n)
{
	char stamp[LOG_FILE_STAMP_SIZE];

	if (!f->bytes)
		return;
	if (f->n + LOG_FILE_STAMP_LEN + n + 1 > BUFFER_SIZE)
		write_out(f);
	memcpy(f->bytes + f->n, log_file_stamp(now_us(), stamp), LOG_FILE_STAMP_LEN);
	f->n += LOG_FILE_STAMP_LEN;
	memcpy(f->bytes + f->n, line, n);
	f->n += n;
	f->bytes[f->n++] = '\n';
}
