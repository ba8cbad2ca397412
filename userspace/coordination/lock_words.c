/* SPDX-License-Identifier: MIT */
#include "coordination/lock_words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/moment.h"
#include "coordination/locks.h"

int locks_find_namesakes(struct locks *l, struct lock_key key, struct lock_namesakes *ret)
{
	_cleanup_free_ struct lock *locks = NULL;
	size_t n = 0;
	int r = locks_look_all(l, true, &locks, &n);

	*ret = (struct lock_namesakes){ 0 };
	for (size_t i = 0; !r && i < n; i++) {
		if (strcmp(locks[i].name, key.name) != 0 || locks[i].owner == key.owner)
			continue;
		if (locks[i].owner == LOCK_OF_MACHINE)
			ret->machine = locks[i];
		else if (!ret->n_others++)
			ret->other = locks[i];
	}
	return r;
}

const char *lock_words_held(const struct lock *lock, int64_t now, char ret[static LOCK_WORDS_SIZE])
{
	char age[32], rest[32], process[sizeof(lock->comm) + 32] = "";
	int64_t left = lock->expires_at > now ? lock->expires_at - now : 0;

	if (!lock->by_time)
		snprintf(process, sizeof(process), " (%s, pid %d)", lock->comm, lock->process.pid);
	snprintf(ret, LOCK_WORDS_SIZE, "held by %s%s for %s%s%s%s", lock->holder, process,
		 duration_format_short(now - lock->acquired_at, age), lock->ttl_s ? ", " : "",
		 lock->ttl_s ? duration_format_long(left, rest) : "", lock->ttl_s ? " left" : "");
	return ret;
}
