/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/text.h"

#define LOG_MESSAGE_BYTES 1024 /* longer messages are cut: a line stays one write of one page */
#define LOG_LINE_BYTES	  (LOG_MESSAGE_BYTES * 3 + 64) /* escapes make a message longer */

static enum log_level max_level = LOG_LEVEL_INFO;

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

static void write_all(const char *line, size_t n)
{
	while (n > 0) {
		ssize_t written = write(STDERR_FILENO, line, n);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return; /* stderr itself is gone: there is nowhere left to say so */
		line += written;
		n -= (size_t)written;
	}
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
	write_all(line, n);
	errno = saved;
}
