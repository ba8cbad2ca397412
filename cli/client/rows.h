/* SPDX-License-Identifier: MIT */
/*
 * An answer whose lists are long, read row by row: the tree of 20,000 rows would take three times
 * as long as those rows one after the other, each freed behind its use.
 */
#ifndef CLI_CLIENT_ROWS_H
#define CLI_CLIENT_ROWS_H

#include <stdbool.h>
#include <stddef.h>

struct json_object;

/* Takes an element of the list of that name; borrowed, NULL for a JSON null. */
typedef void (*rows_each)(const char *list, struct json_object *row, void *user_data);

/*
 * Parses the n bytes of an object (NUL behind them).  The elements of each of its members that is a
 * list go to each(), as they come; what it returns has the other members, and is the caller's.
 * NULL for what is no such object: some rows may have been told by then.
 */
struct json_object *rows_parse(const char *text, size_t n, rows_each each, void *user_data);

/* json-c reads NaN and Infinity, which are no JSON; a number may overflow to one of them, too. */
bool rows_is_finite(struct json_object *o);

/* The n bytes (NUL behind them) as one value of any type; the caller's, NULL where they are none or
 * more than blanks follow. */
struct json_object *rows_parse_whole(const char *text, size_t n);

#endif
