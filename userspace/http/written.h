/* SPDX-License-Identifier: MIT */
/*
 * Answers with long lists are written down element by element: 50,000 services are 12 MB as text,
 * and ten times as much as a tree of objects.
 */
#ifndef HTTP_WRITTEN_H
#define HTTP_WRITTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct evbuffer;
struct json_object;
struct request;

/* What a request has of its answer as text. */
struct written {
	struct evbuffer *text; /* without the last brace; NULL = the answer is still an object */
	bool has_elements;     /* of the list that is open */
	int64_t rows;	       /* of all its lists */
	char *row;	       /* the object that is open, as far as it is written */
	size_t row_used, row_size;
	bool no_memory; /* for it */
};

/*
 * Opens a list behind the members that the answer has so far, which are written with the first one;
 * later members of r->answer are not sent.  Lists do not nest.  Each returns 0, -ENOMEM.
 */
int written_list_begin(struct request *r, const char *key);
/* value is consumed. */
int written_list_add(struct request *r, struct json_object *value);
int written_list_end(struct request *r);
/* A member behind the lists.  value is consumed. */
int written_member(struct request *r, const char *key, struct json_object *value);

int64_t written_rows(const struct written *w);
size_t written_bytes(const struct written *w);

/*
 * An element member by member, for rows that come by the ten thousand: to build an object of each
 * takes five times as long as to write its text.  Values become what json.h makes of them.  What
 * fails is told at the object's end: 0, -ENOMEM.
 */
void written_object_begin(struct written *w);
void written_text(struct written *w, const char *key, const char *text); /* NULL and "": null */
void written_int(struct written *w, const char *key, int64_t value);
void written_known(struct written *w, const char *key, int64_t value); /* 0: null */
void written_bool(struct written *w, const char *key, bool value);
/* A list of n integers; `get` tells the i-th. */
void written_ints(struct written *w, const char *key, size_t n,
		  int64_t (*get)(const void *list, size_t i), const void *list);
int written_object_end(struct written *w);

void written_deinit(struct written *w);

#endif
