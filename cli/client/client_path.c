/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cli/client/client.h"

struct writer {
	char *at;
	int left; /* with room for the NUL */
};

static bool put(struct writer *w, const char *s, int n)
{
	if (n >= w->left)
		return false;
	memcpy(w->at, s, (size_t)n);
	w->at += n;
	w->left -= n;
	return true;
}

/* RFC 3986, "unreserved": whatever else a value holds, it stays within its parameter. */
static bool is_unreserved(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       (c && strchr("-._~", c));
}

static bool put_encoded(struct writer *w, const char *s)
{
	for (; *s; s++) {
		char code[4];

		if (is_unreserved(*s)) {
			if (!put(w, s, 1))
				return false;
			continue;
		}
		snprintf(code, sizeof(code), "%%%02X", (unsigned char)*s);
		if (!put(w, code, 3))
			return false;
	}
	return true;
}

int client_path(const char *base, const struct client_param *params, int n, char *ret, int size)
{
	struct writer w = { ret, size };
	char joint = strchr(base, '?') ? '&' : '?';

	if (!put(&w, base, (int)strlen(base)))
		return -ENAMETOOLONG;
	for (int i = 0; i < n; i++) {
		const struct client_param *p = &params[i];

		if (!p->value)
			continue;
		if (!put(&w, &joint, 1) || !put(&w, p->name, (int)strlen(p->name)) ||
		    !put(&w, "=", 1) || !put_encoded(&w, p->value))
			return -ENAMETOOLONG;
		joint = '&';
	}
	*w.at = '\0';
	return 0;
}
