/* SPDX-License-Identifier: MIT */
#include "cli/client/http.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *const version_prefix = "HTTP/1.";

/* Room for ten digits more than the largest body that anybody accepts. */
#define LENGTH_MAX (INT64_MAX / 100)

struct text {
	const char *at;
	size_t n;
};

/* Cuts the next line, without its CR LF or LF, off the text.  False when it has no end yet. */
static bool next_line(struct text *rest, struct text *ret)
{
	const char *end = memchr(rest->at, '\n', rest->n);

	if (!end)
		return false;
	*ret = (struct text){ rest->at, (size_t)(end - rest->at) };
	rest->n -= ret->n + 1;
	rest->at = end + 1;
	if (ret->n > 0 && ret->at[ret->n - 1] == '\r')
		ret->n--;
	return true;
}

/* "HTTP/1.0 200 OK" */
static int parse_status(struct text line, int *ret)
{
	size_t prefix = strlen(version_prefix);
	const char *d = line.at + prefix + 2;

	if (line.n < prefix + 5 || memcmp(line.at, version_prefix, prefix) != 0)
		return -EBADMSG;
	if (!isdigit((unsigned char)d[-2]) || d[-1] != ' ' || d[0] < '1' || d[0] > '5' ||
	    !isdigit((unsigned char)d[1]) || !isdigit((unsigned char)d[2]))
		return -EBADMSG;
	*ret = (d[0] - '0') * 100 + (d[1] - '0') * 10 + (d[2] - '0');
	return 0;
}

static int parse_length(struct text value, int64_t *ret)
{
	int64_t length = 0;

	if (value.n == 0)
		return -EBADMSG;
	for (size_t i = 0; i < value.n; i++) {
		if (!isdigit((unsigned char)value.at[i]) || length > LENGTH_MAX)
			return -EBADMSG;
		length = length * 10 + (value.at[i] - '0');
	}
	*ret = length;
	return 0;
}

/* True when the line is the header `name`; its value, trimmed, in *ret. */
static bool header_is(struct text line, const char *name, struct text *ret)
{
	size_t n = strlen(name);

	if (line.n <= n || line.at[n] != ':' || strncasecmp(line.at, name, n) != 0)
		return false;
	*ret = (struct text){ line.at + n + 1, line.n - n - 1 };
	while (ret->n > 0 && (*ret->at == ' ' || *ret->at == '\t')) {
		ret->at++;
		ret->n--;
	}
	while (ret->n > 0 && (ret->at[ret->n - 1] == ' ' || ret->at[ret->n - 1] == '\t'))
		ret->n--;
	return true;
}

static int parse_header(struct text line, struct http_head *head)
{
	struct text value;
	char product[BUILD_PRODUCT_SIZE];

	if (header_is(line, "Content-Length", &value))
		return parse_length(value, &head->content_length);
	if (header_is(line, "Server", &value)) {
		snprintf(product, sizeof(product), "%.*s", (int)value.n, value.at);
		build_parse(product, BUILD_PROGRAM_DAEMON, &head->daemon);
	}
	if (header_is(line, "Port-Daddy-Ignored", &value))
		snprintf(head->ignored, sizeof(head->ignored), "%.*s", (int)value.n, value.at);
	if (header_is(line, "Port-Daddy-Next", &value) && value.n < sizeof(head->next))
		snprintf(head->next, sizeof(head->next), "%.*s", (int)value.n, value.at);
	if (header_is(line, "Transfer-Encoding", &value))
		return -EBADMSG;
	return 0;
}

int http_head_parse(const char *bytes, size_t n, struct http_head *ret)
{
	struct http_head head = { .content_length = -1 };
	struct text rest = { bytes, n }, line;
	size_t known = strlen(version_prefix);
	int r;

	if (memcmp(bytes, version_prefix, n < known ? n : known) != 0)
		return -EBADMSG;
	if (!next_line(&rest, &line))
		return n > HTTP_HEAD_MAX_BYTES ? -EBADMSG : -EAGAIN;
	r = parse_status(line, &head.status);
	while (r == 0) {
		if (!next_line(&rest, &line))
			return n > HTTP_HEAD_MAX_BYTES ? -EBADMSG : -EAGAIN;
		if (line.n == 0)
			break;
		r = parse_header(line, &head);
	}
	if (r < 0)
		return r;
	head.size = n - rest.n;
	*ret = head;
	return 0;
}
