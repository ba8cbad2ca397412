/* SPDX-License-Identifier: MIT */
/*
 * Which refused calls are written down and explained.  A program that retries in a loop is one row
 * with a count; of different refusals each user has a share (QUOTA_REFUSALS), and within it each
 * process and each port: a program that runs wild hides neither other users' refusals nor those of
 * the user's other programs.
 *
 * Pure but for its own memory: knows no clock and no file.
 */
#ifndef TRACKER_REFUSAL_SHARES_H
#define TRACKER_REFUSAL_SHARES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/event.h"

#define REFUSALS_REPEAT_S   10 /* the same refusal is written once in this time */
#define REFUSALS_REMEMBERED 32 /* different refusals of a user whose repetitions are counted */

struct refusal_shares;

/* own_uid: the daemon's own user, for whom a part is kept as for root.  0, -ENOMEM. */
int refusal_shares_new(uid_t own_uid, struct refusal_shares **ret);
/* NULL is allowed. */
void refusal_shares_free(struct refusal_shares *s);

/*
 * Is this refusal worth a row?  Then *ret_repeated is how often it came again since its last row.
 * `now` is in seconds.
 */
bool refusal_shares_admit(struct refusal_shares *s, const struct event *event, int64_t now,
			  unsigned *ret_repeated);

/* Refusals that were left out although they repeat none: beyond a share. */
uint64_t refusal_shares_dropped(const struct refusal_shares *s);

#endif
