/* SPDX-License-Identifier: MIT */
#include "cli/supervise/lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void hand_out(struct line_splitter *s, lines_each each, void *user_data)
{
	size_t n = s->n;

	s->n = 0;
	each(s->bytes, n, user_data);
}

int lines_add(struct line_splitter *s, const char *bytes, size_t n, lines_each each,
	      void *user_data)
{
	if (!s->bytes && n)
		s->bytes = malloc(LINES_MAX_BYTES);
	if (!s->bytes && n)
		return -ENOMEM;
	while (n) {
		const char *end = memchr(bytes, '\n', n);
		size_t of_line = end ? (size_t)(end - bytes) : n, taken;

		/* a newline behind a full buffer still belongs to it */
		if (of_line && s->n == LINES_MAX_BYTES)
			hand_out(s, each, user_data);
		taken = of_line < LINES_MAX_BYTES - s->n ? of_line : LINES_MAX_BYTES - s->n;
		memcpy(s->bytes + s->n, bytes, taken);
		s->n += taken;
		bytes += taken;
		n -= taken;
		if (!end || taken < of_line)
			continue;
		hand_out(s, each, user_data);
		bytes++;
		n--;
	}
	return 0;
}

void lines_finish(struct line_splitter *s, lines_each each, void *user_data)
{
	if (s->n)
		hand_out(s, each, user_data);
}

void lines_deinit(struct line_splitter *s)
{
	free(s->bytes);
	*s = (struct line_splitter){ 0 };
}
