/* SPDX-License-Identifier: MIT */
#include "http/page.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "http/request.h"

/* Digits only, and nothing behind them but `end`. */
static bool parse_number(const char *text, char end, uint64_t max, uint64_t *ret, const char **rest)
{
	char *stop;

	errno = 0;
	*ret = isdigit((unsigned char)*text) ? strtoull(text, &stop, 10) : 0;
	if (!isdigit((unsigned char)*text) || errno || *stop != end || *ret > max)
		return false;
	*rest = stop;
	return true;
}

int page_parse(struct request *r, int64_t max, struct page *ret)
{
	const char *text = request_param(r, "n"), *rest;
	uint64_t n = 0;

	if (text && (!parse_number(text, '\0', (uint64_t)max, &n, &rest) || !n))
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "n \"%.32s\" is not a number of rows; write one from 1 to "
				    "%" PRId64,
				    text, max);
	*ret = (struct page){
		.rows = n && n < PAGE_MAX_ROWS ? (int64_t)n : PAGE_MAX_ROWS,
		.n = (int64_t)n,
		.after = request_param(r, "after"),
	};
	return 0;
}

void page_of_brief_rows(struct page *page)
{
	if (!page->n)
		page->rows = PAGE_BRIEF_ROWS;
}

bool page_is_full(const struct request *r, const struct page *page)
{
	return written_rows(&r->written) >= page->rows ||
	       written_bytes(&r->written) >= PAGE_MAX_BYTES;
}

int page_end(struct request *r, const char *next)
{
	return written_member(r, "next", json_text(next));
}

int page_bad_cursor(struct request *r)
{
	return request_fail(r, OUTCOME_BAD_REQUEST,
			    "after \"%.64s\" is no place in this list; give what the answer before "
			    "had as \"next\"",
			    request_param(r, "after"));
}

int page_after_number(struct request *r, const struct page *page, int64_t *ret)
{
	const char *text = page->after + (*page->after == '-'), *rest;
	uint64_t number;

	if (!parse_number(text, '\0', INT64_MAX, &number, &rest))
		return page_bad_cursor(r);
	/* ids that people gave by hand may be negative */
	*ret = text == page->after ? (int64_t)number : -(int64_t)number;
	return 0;
}

int page_after_socket(struct request *r, const char *text, uint16_t *ret_port, uint64_t *ret_cookie)
{
	uint64_t port, cookie;
	const char *rest;

	if (!parse_number(text, '.', UINT16_MAX, &port, &rest) ||
	    !parse_number(rest + 1, '\0', UINT64_MAX, &cookie, &rest))
		return page_bad_cursor(r);
	*ret_port = (uint16_t)port;
	*ret_cookie = cookie;
	return 0;
}

const char *page_socket(uint16_t port, uint64_t cookie, char ret[PAGE_SOCKET_SIZE])
{
	snprintf(ret, PAGE_SOCKET_SIZE, "%u.%" PRIu64, port, cookie);
	return ret;
}
