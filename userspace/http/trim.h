/* SPDX-License-Identifier: MIT */
/* Free memory goes back to the kernel behind a large answer: glibc alone keeps what lies between
 * what is still in use. */
#ifndef HTTP_TRIM_H
#define HTTP_TRIM_H

struct event_base;
struct trim;

/* 0, -ENOMEM. */
int trim_new(struct event_base *loop, struct trim **ret);
/* NULL is allowed. */
void trim_free(struct trim *t);

/* Gives it back once what needed it is sent or gone: at most once a second. */
void trim_soon(struct trim *t);

#endif
