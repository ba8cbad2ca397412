/* SPDX-License-Identifier: MIT */
/*
 * Answers with long lists are written down element by element: 50,000 services are 12 MB as text,
 * and ten times as much as a tree of objects.
 */
#ifndef API_WRITTEN_H
#define API_WRITTEN_H

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

void written_deinit(struct written *w);

#endif
