/* SPDX-License-Identifier: MIT */
#include "http/page.h"

#include <ctype.h>
#include <errno.h>
#include <event2/http.h>
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

void page_begin(struct page *page, int64_t otherwise)
{
	page->rows = page->n ? page->n : otherwise;
	if (page->n > PAGE_MAX_ROWS)
		page->rows = PAGE_MAX_ROWS;
}

bool page_is_full(const struct request *r, const struct page *page)
{
	return written_rows(&r->written) >= page->rows ||
	       written_bytes(&r->written) >= PAGE_MAX_BYTES;
}

int page_end(struct request *r, const char *next)
{
	if (next)
		evhttp_add_header(evhttp_request_get_output_headers(r->http), PAGE_NEXT_HEADER,
				  next);
	return written_member(r, "next", json_text(next));
}

bool page_list_has_room(struct page_list *l)
{
	l->more = page_is_full(l->r, l->page);
	return !l->more;
}

bool page_list_add(struct page_list *l, struct json_object *row)
{
	l->fault = written_list_add(l->r, row);
	return !l->fault;
}

int page_list_end(struct page_list *l, int fault)
{
	if (!fault)
		fault = l->fault ? l->fault : written_list_end(l->r);
	if (fault)
		return fault;
	if (!*l->last)
		snprintf(l->last, sizeof(l->last), "%" PRId64, l->number);
	return page_end(l->r, l->more ? l->last : NULL);
}

int page_bad_cursor(struct request *r, const struct page *page)
{
	return request_fail(r, OUTCOME_BAD_REQUEST,
			    "after \"%.64s\" is no place in this list; give what the answer before "
			    "had as \"next\"",
			    page->after);
}

int page_after_number(struct request *r, const struct page *page, int64_t *ret)
{
	const char *text = page->after + (*page->after == '-'), *rest;
	uint64_t number;

	if (!parse_number(text, '\0', INT64_MAX, &number, &rest))
		return page_bad_cursor(r, page);
	/* ids that people gave by hand may be negative */
	*ret = text == page->after ? (int64_t)number : -(int64_t)number;
	return 0;
}

int page_after_socket(struct request *r, const struct page *page, uint16_t *ret_port,
		      uint64_t *ret_cookie)
{
	const char *text = page->after + (*page->after == ':');
	uint64_t port, cookie;
	const char *rest;

	if (!parse_number(text, '.', UINT16_MAX, &port, &rest) ||
	    !parse_number(rest + 1, '\0', UINT64_MAX, &cookie, &rest))
		return page_bad_cursor(r, page);
	*ret_port = (uint16_t)port;
	*ret_cookie = cookie;
	return 0;
}

const char *page_socket(uint16_t port, uint64_t cookie, char ret[PAGE_SOCKET_SIZE])
{
	snprintf(ret, PAGE_SOCKET_SIZE, "%u.%" PRIu64, port, cookie);
	return ret;
}
