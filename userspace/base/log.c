/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"

#define LOG_MESSAGE_BYTES 1024 /* longer messages are cut: a line stays one write of one page */
#define LOG_LINE_BYTES	  (LOG_MESSAGE_BYTES * 3 + 64) /* escapes make a message longer */

static enum log_level max_level = LOG_LEVEL_INFO;
static struct log_site *sites; /* that have logged */
static bool is_own_file;       /* stderr: see log_bound_file() */

void log_set_level(enum log_level level)
{
	max_level = level;
}

/* journald names the device and inode of the stream that it gave us: a redirected stderr is not it.
 */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	if (!stream || sscanf(stream, "%llu:%llu", &dev, &ino) != 2)
		return false;
	return fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

static const char *level_word(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_ERROR:
		return "error: ";
	case LOG_LEVEL_WARNING:
		return "warning: ";
	case LOG_LEVEL_DEBUG:
		return "debug: ";
	case LOG_LEVEL_INFO:
		break;
	}
	return "";
}

static size_t format_prefix(enum log_level level, char *ret, size_t size)
{
	time_t now = time(NULL);
	struct tm tm;
	size_t n;

	if (stderr_is_journal())
		return (size_t)snprintf(ret, size, "<%d>", level);
	n = localtime_r(&now, &tm) ? strftime(ret, size, "%Y-%m-%d %H:%M:%S ", &tm) : 0;
	return n + (size_t)snprintf(ret + n, size - n, "%s", level_word(level));
}

static bool write_all(int fd, const char *line, size_t n)
{
	while (n > 0) {
		ssize_t written = write(fd, line, n);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return false;
		line += written;
		n -= (size_t)written;
	}
	return true;
}

void log_bound_file(const char *path)
{
	struct stat named, opened;
	int flags = fcntl(STDERR_FILENO, F_GETFL);

	is_own_file = flags >= 0 && stat(path, &named) == 0 && fstat(STDERR_FILENO, &opened) == 0 &&
		      S_ISREG(opened.st_mode) && named.st_dev == opened.st_dev &&
		      named.st_ino == opened.st_ino;
	/* what comes behind a cut goes to the new end, not to the old one with a hole before it */
	if (is_own_file && fcntl(STDERR_FILENO, F_SETFL, flags | O_APPEND) < 0)
		is_own_file = false;
}

/*
 * Cut in place, by the descriptor: who follows it with tail goes on, and no second file appears.
 * A descriptor that is for writing only (2>> by hand) has no lines to keep.
 */
static void cut_file(void)
{
	static const char mark[] = "older lines were dropped here\n";
	char prefix[64];
	_cleanup_free_ char *newest = malloc(LOG_FILE_KEEP_BYTES);
	struct stat st;
	ssize_t n = -1;
	char *line = NULL;

	if (fstat(STDERR_FILENO, &st) || st.st_size < LOG_FILE_MAX_BYTES)
		return;
	if (newest)
		n = pread(STDERR_FILENO, newest, LOG_FILE_KEEP_BYTES,
			  st.st_size - LOG_FILE_KEEP_BYTES);
	if (n > 0)
		line = memchr(newest, '\n', (size_t)n);
	if (ftruncate(STDERR_FILENO, 0))
		return; /* it cannot be cut: then it is not bounded */
	write_all(STDERR_FILENO, prefix, format_prefix(LOG_LEVEL_INFO, prefix, sizeof(prefix)));
	write_all(STDERR_FILENO, mark, sizeof(mark) - 1);
	if (line)
		write_all(STDERR_FILENO, line + 1, (size_t)(newest + n - line - 1));
}

static void say_left_out(struct log_site *site)
{
	if (site->left_out)
		log_line(LOG_LEVEL_WARNING, "%u lines like the last one of %s were left out",
			 site->left_out, site->where);
	site->left_out = 0;
}

bool log_site_admits(struct log_site *site, const char *where, enum log_level level)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC) / NS_PER_S;

	if (level > max_level || level >= LOG_LEVEL_DEBUG)
		return level <= max_level;
	if (!site->where) {
		site->where = where;
		site->since_s = now;
		site->next = sites;
		sites = site;
	}
	if (now - site->since_s >= LOG_SITE_WINDOW_S) {
		say_left_out(site);
		site->since_s = now;
		site->lines = 0;
	}
	if (site->lines < LOG_SITE_LINES) {
		site->lines++;
		return true;
	}
	site->left_out++;
	return false;
}

void log_say_left_out(void)
{
	for (struct log_site *site = sites; site; site = site->next)
		say_left_out(site);
}

void log_line(enum log_level level, const char *format, ...)
{
	char message[LOG_MESSAGE_BYTES], line[LOG_LINE_BYTES];
	int saved = errno;
	va_list ap;
	size_t n;

	if (level > max_level)
		return;
	va_start(ap, format);
	vsnprintf(message, sizeof(message), format, ap);
	va_end(ap);

	n = format_prefix(level, line, 64);
	/* a process name with a newline in it must not forge a line of the log */
	text_escape_terminal(message, line + n, sizeof(line) - n - 1);
	n += strlen(line + n);
	line[n++] = '\n';
	/* whoever starts the daemon waits on its stdout for what a full disk does not take */
	if (!write_all(STDERR_FILENO, line, n))
		write_all(STDOUT_FILENO, line, n);
	if (is_own_file)
		cut_file();
	errno = saved;
}
