/* SPDX-License-Identifier: MIT */
/*
 * Free memory goes back to the kernel: glibc alone keeps what lies between what is still in use,
 * and after a flood that is most of it.  Nothing wakes up for it while nothing happens.
 */
#ifndef HTTP_TRIM_H
#define HTTP_TRIM_H

struct event_base;
struct trim;

/* First has the owner give back what it only keeps to be faster; NULL = nothing. */
typedef void (*trim_owner)(void *user_data);

/* 0, -ENOMEM. */
int trim_new(struct event_base *loop, trim_owner give_back, void *user_data, struct trim **ret);
/* NULL is allowed. */
void trim_free(struct trim *t);

/* Behind a large answer: once it is sent, at most once a second. */
void trim_soon(struct trim *t);
/* Behind any other work: at most every few seconds. */
void trim_later(struct trim *t);

#endif
