/* SPDX-License-Identifier: MIT */
#include "base/share.h"

void share_settle(struct share *s, int64_t now, int64_t per_s)
{
	int64_t passed_s = now - s->at;

	s->at = now;
	if (passed_s <= 0)
		return;
	/* as a comparison: the product of a long time may be too large a number */
	if (passed_s > s->used / per_s)
		s->used = 0;
	else
		s->used -= passed_s * per_s;
}

bool share_allows(const struct share *own, const struct share *all, int64_t size)
{
	return own->used < size - all->used;
}

struct share *share_of(struct share_of *list, size_t n, uint64_t turn, uint64_t a, uint64_t b)
{
	struct share_of *found = list;

	for (size_t i = 0; i < n; i++) {
		struct share_of *at = &list[i];

		if (at->turn && at->key[0] == a && at->key[1] == b) {
			at->turn = turn;
			return &at->share;
		}
		if (at->turn < found->turn)
			found = at;
	}
	*found = (struct share_of){ .turn = turn, .key = { a, b } };
	return &found->share;
}
