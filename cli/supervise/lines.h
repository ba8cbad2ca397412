/* SPDX-License-Identifier: MIT */
/*
 * Lines out of bytes as they come: a line is handed out when it is whole.  One that is longer than
 * there is room is handed out in pieces.  Pure.
 */
#ifndef CLI_SUPERVISE_LINES_H
#define CLI_SUPERVISE_LINES_H

#include <stddef.h>

#define LINES_MAX_BYTES (64 * 1024) /* of a line that stays whole */

struct line_splitter {
	char *bytes; /* of the line that has begun; LINES_MAX_BYTES, from the first one on */
	size_t n;
};

typedef void (*lines_each)(const char *line, size_t n, void *user_data);

/* Calls each() for every line that the bytes complete, without its newline.  0, -ENOMEM. */
int lines_add(struct line_splitter *s, const char *bytes, size_t n, lines_each each,
	      void *user_data);

/* What has begun is all that will come of it. */
void lines_finish(struct line_splitter *s, lines_each each, void *user_data);
void lines_deinit(struct line_splitter *s);

#endif
