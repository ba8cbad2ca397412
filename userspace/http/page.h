/* SPDX-License-Identifier: MIT */
/*
 * Long lists come in pages.  A question may say "n", at most so many rows, and "after", the cursor
 * that the answer before gave as "next"; a page ends with PAGE_MAX_ROWS or with the row that
 * reaches PAGE_MAX_BYTES, whatever was asked for.  "next" is null behind the last row.
 *
 * Each page is as new as its question.  Cursors name a place in an order that does not change (ids,
 * names, ports), not a number of rows: so no row comes twice, and none is left out that was there
 * all the time.
 */
#ifndef HTTP_PAGE_H
#define HTTP_PAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "http/param.h"

/* Some 4 ms of the loop: what somebody else's question may have to wait for. */
#define PAGE_MAX_ROWS	 500
#define PAGE_BRIEF_ROWS	 1500 /* of sockets and services without details, 3 us each */
#define PAGE_MAX_BYTES	 (1024 * 1024)
#define PAGE_CURSOR_SIZE 128
/* Says `next` as well: a client can ask for the next page before it has read the rows of this. */
#define PAGE_NEXT_HEADER "Port-Daddy-Next"

struct page {
	int64_t n;	   /* as asked for; 0 = not at all */
	const char *after; /* NULL = from the first row; borrowed of the request */
	int64_t rows;	   /* at most, see page_begin() */
};

/* The rows of both parameters, for a member of the handler's struct; `n` may be as much as `most`,
 * a number. */
#define PARAM_PAGE(type, member, most)                                                           \
	PARAM_NUMBER("n", type, member.n, .min = 1, .max = (most),                               \
		     .advice = "is not a number of rows; write one from 1 to " PAGE_TEXT(most)), \
		PARAM_TEXT("after", type, member.after)
#define PAGE_TEXT(number)  PAGE_TEXT_(number)
#define PAGE_TEXT_(number) #number

/* Sets the rows of a page: PAGE_MAX_ROWS of what was asked for, `otherwise` where nothing was. */
void page_begin(struct page *page, int64_t otherwise);

/* The next row belongs into the next page: so much is written of the answer's lists. */
bool page_is_full(const struct request *r, const struct page *page);

/* Ends the lists of an answer: `next` names its last row, or is NULL. */
int page_end(struct request *r, const char *next);

/*
 * A list whose rows are visited one by one: a visit asks whether there is room for its row, says
 * where it stands, and adds it.
 */
struct page_list {
	struct request *r;
	const struct page *page;
	int64_t number; /* the cursor of the last row, or: */
	char last[PAGE_CURSOR_SIZE];
	bool more; /* a row had no room */
	int fault;
};
bool page_list_has_room(struct page_list *l);
/* Consumes the row.  False: the visits end. */
bool page_list_add(struct page_list *l, struct json_object *row);
/* Ends the list and the answer; `fault` is that of the visits. */
int page_list_end(struct page_list *l, int fault);

/* A cursor that is a number.  0, OUTCOME_BAD_REQUEST. */
int page_after_number(struct request *r, const struct page *page, int64_t *ret);
/* A cursor that is the place of a socket, "3000.17": port and cookie, maybe behind a ':'.  The
 * same.
 */
int page_after_socket(struct request *r, const struct page *page, uint16_t *ret_port,
		      uint64_t *ret_cookie);
/* For a cursor that nobody has given.  OUTCOME_BAD_REQUEST. */
int page_bad_cursor(struct request *r, const struct page *page);

/* "3000.17"; returns ret. */
#define PAGE_SOCKET_SIZE 32
const char *page_socket(uint16_t port, uint64_t cookie, char ret[PAGE_SOCKET_SIZE]);

#endif
