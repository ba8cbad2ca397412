/* SPDX-License-Identifier: MIT */
/*
 * A request whose answer comes later, when something has happened: it is kept with its connection
 * until it is answered, or until its client has left.
 */
#ifndef HTTP_KEPT_H
#define HTTP_KEPT_H

#include "http/request.h"

struct kept_request;

/*
 * Takes the request over.  `left` is called once, when the client leaves or the server ends before
 * the answer; the request is freed behind it.  0; -ENOMEM, and then it is still the caller's.
 */
int kept_request_new(struct request *r, void (*left)(void *user_data), void *user_data,
		     struct kept_request **ret);

/* Its request, to fill in the answer.  Borrowed. */
struct request *kept_request_get(struct kept_request *k);

/* Answers as server_answer() does, and frees it. */
void kept_request_answer(struct kept_request *k, int result);

#endif
