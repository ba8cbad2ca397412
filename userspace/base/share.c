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
