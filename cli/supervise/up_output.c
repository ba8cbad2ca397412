/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/project/config.h"
#include "cli/render/service_line.h"
#include "cli/supervise/log_reader.h"
#include "cli/supervise/up_parts.h"

#define CHUNK_BYTES 16384
#define WRITE_BYTES 4096 /* a pipe that poll() calls writable takes so many without waiting */
#define LAST_LINES  20

void up_output_init(struct up *u)
{
	u->out = (struct up_output){ .fd = u->o->json ? STDERR_FILENO : STDOUT_FILENO };
	for (size_t i = 0; i < u->n; i++) {
		int width = (int)strlen(u->services[i].config->name);

		if (u->services[i].node->state != NEEDS_LEFT_OUT && width > u->out.width)
			u->out.width = width;
	}
}

void up_output_deinit(struct up *u)
{
	for (size_t i = 0; i < u->n; i++)
		lines_deinit(&u->services[i].lines);
	free(u->out.bytes);
}

bool up_output_waits(const struct up *u)
{
	return u->out.at < u->out.n;
}

/* --- into it --- */

struct named_output {
	struct up_output *out;
	const char *name;
};

static void add_line(const char *line, size_t n, void *user_data)
{
	const struct named_output *named = user_data;
	struct up_output *out = named->out;
	size_t needed = out->n + n + SERVICE_LINE_EXTRA;

	if (out->is_gone)
		return;
	if (needed > out->size) {
		char *grown = realloc(out->bytes, 2 * needed);

		if (!grown)
			return; /* the log has it */
		out->bytes = grown;
		out->size = 2 * needed;
	}
	out->n += service_line(named->name, out->width, line, n, out->bytes + out->n);
}

bool up_output_read(struct up *u, struct up_service *s)
{
	struct named_output named = { &u->out, s->config->name };
	static char chunk[CHUNK_BYTES];
	ssize_t n;

	if (s->keeper.output_fd < 0 || up_output_waits(u))
		return false;
	n = read(s->keeper.output_fd, chunk, sizeof(chunk));
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n > 0 && !u->o->detach)
		lines_add(&s->lines, chunk, (size_t)n, add_line, &named);
	if (n <= 0) {
		lines_finish(&s->lines, add_line, &named);
		close(s->keeper.output_fd);
		s->keeper.output_fd = -1;
	}
	up_output_flush(u);
	return n > 0;
}

/* --- out of it --- */

static bool is_writable(const struct up_output *out)
{
	struct pollfd fd = { .fd = out->fd, .events = POLLOUT };

	return poll(&fd, 1, 0) == 1;
}

void up_output_flush(struct up *u)
{
	struct up_output *out = &u->out;

	while (!out->is_gone && out->at < out->n && is_writable(out)) {
		size_t left = out->n - out->at;
		ssize_t n = write(out->fd, out->bytes + out->at,
				  left < WRITE_BYTES ? left : WRITE_BYTES);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n < 0) {
			/* a terminal that was closed, head(1) that has enough */
			out->is_gone = true;
			u->asked_to_end = true;
			break;
		}
		out->at += (size_t)n;
	}
	if (out->is_gone || out->at == out->n)
		out->at = out->n = 0;
}

/* --- out of the log --- */

void up_output_show_last(const struct up *u, const struct up_service *s)
{
	char stamp[LOG_FILE_STAMP_SIZE];
	struct log_reader reader;

	log_file_stamp(s->begun_unix_us, stamp);
	if (!log_reader_open(&reader, s->config->id, LAST_LINES, stamp))
		while (log_reader_next(&reader))
			if (strncmp(reader.line, LOG_FILE_RUN_NOTE, strlen(LOG_FILE_RUN_NOTE)) != 0)
				fprintf(stderr, "  %s\n", reader.line);
	log_reader_close(&reader);
}
