/* SPDX-License-Identifier: MIT */
/*
 * Reads members of the daemon's answers.  A member that is missing or of another type reads as
 * empty: a newer daemon may leave one out, an older one may not know it.
 */
#ifndef CLI_CLIENT_ANSWER_H
#define CLI_CLIENT_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "cli/client/client.h"

struct json_object;

bool answer_has(struct json_object *o, const char *key);
/* "" when missing; borrowed. */
const char *answer_text(struct json_object *o, const char *key);
/* 0 when missing. */
int64_t answer_int(struct json_object *o, const char *key);
bool answer_bool(struct json_object *o, const char *key);
/* A member object or array; NULL when missing, which the functions below take for empty. */
struct json_object *answer_member(struct json_object *o, const char *key);
size_t answer_length(struct json_object *list);
struct json_object *answer_at(struct json_object *list, size_t i);
/* An element that is a number; 0 when it is none. */
int64_t answer_item_int(struct json_object *list, size_t i);
/* An element that is a string; "" when it is none; borrowed. */
const char *answer_item_text(struct json_object *list, size_t i);

/* The sentence of an error answer; never empty. */
const char *answer_error_message(struct json_object *answer);

/* "1234,1240,1241,…" of the pids of an array, the first three. */
const char *answer_pids(struct json_object *o, const char *key, char *ret, size_t size);

void answer_free(struct json_object *o);
DEFINE_CLEANUP(struct json_object *, answer_free);

/*
 * client_request() for commands: 0 and *ret on success; otherwise the error has been rendered (but
 * to whoever asked to stop, see stop_guard.h) and the exit code is returned.
 */
int answer_get(bool json, const char *method, const char *path, struct json_object *body,
	       struct json_object **ret);

/*
 * The same for a list, which the daemon may give in pages: asks on until there is no "next", or
 * `rows` rows are there (0 = all of them), and returns one answer with all rows and without "next".
 * An older daemon gives everything at once and no "next".
 */
int answer_get_list(bool json, const char *path, size_t rows, struct json_object **ret);

/*
 * The same for lists that are read row by row, as client_list() does: each() takes the rows of all
 * pages; *ret has the other members, of the last page.
 */
int answer_list(bool json, const char *path, rows_each each, void *user_data,
		struct json_object **ret);

#endif
