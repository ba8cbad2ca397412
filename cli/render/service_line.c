/* SPDX-License-Identifier: MIT */
#include "cli/render/service_line.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/render/terminal.h"

static const char *color_of(const char *name)
{
	/* neither red, which means a fault, nor what some terminals show as their background */
	static const char *const colors[] = { "36", "33", "32", "35", "34",
					      "96", "93", "92", "95", "94" };
	unsigned hash = 5381;

	for (; *name; name++)
		hash = hash * 33 + (unsigned char)*name;
	return colors[hash % ARRAY_SIZE(colors)];
}

size_t service_line(const char *name, int width, const char *line, size_t n, char *ret)
{
	size_t used;

	if (!terminal_has_colors()) {
		used = (size_t)sprintf(ret, "%-*s | ", width, name);
	} else {
		used = (size_t)sprintf(ret, "\033[%sm%-*s |%s ", color_of(name), width, name,
				       TERMINAL_TONE_END);
	}
	memcpy(ret + used, line, n);
	used += n;
	/* a colour that the line leaves on is not the next one's */
	if (terminal_has_colors() && memchr(line, '\033', n)) {
		strcpy(ret + used, TERMINAL_TONE_END);
		used += strlen(TERMINAL_TONE_END);
	}
	ret[used++] = '\n';
	return used;
}
