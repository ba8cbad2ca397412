/* SPDX-License-Identifier: MIT */
/*
 * A share of what comes back with time: how much of it somebody has used up lately.
 *
 * Shares stand in each other: a program's in its user's, a user's in the machine's.  The rule of
 * fairness is the same at each step and needs no list of who there is: nobody uses more than is
 * left for everybody else.  Whoever asks alone gets half of all, two get a third each, and always
 * as much is left for whoever comes next.
 */
#ifndef BASE_SHARE_H
#define BASE_SHARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zero: nothing used. */
struct share {
	int64_t at; /* seconds of the caller's clock: when `used` was true */
	int64_t used;
};

/* Takes off what has come back by now, per_s each second.  A clock that is set back gives nothing.
 */
void share_settle(struct share *s, int64_t now, int64_t per_s);

/* May more be used?  `all` is the share around it, of `size`; both are settled. */
bool share_allows(const struct share *own, const struct share *all, int64_t size);

/* Of a list of those who are told apart, all zero at first: users, processes, ports. */
struct share_of {
	uint64_t turn; /* of its last use; 0 = nobody's */
	uint64_t key[2];
	struct share share;
};

/* The share of that key.  Where it has none it gets the place of whoever used theirs least
 * recently, and has used nothing.  `turn` grows with each use. */
struct share *share_of(struct share_of *list, size_t n, uint64_t turn, uint64_t a, uint64_t b);

#endif
