/* SPDX-License-Identifier: MIT */
#include "base/quota.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>

#include "base/cleanup.h"

static const struct quota_limit limits[] = {
	[QUOTA_CONNECTIONS] = {
		.name = "open connections",
		.way_out = "close one and try again",
		.reason = "a descriptor each, and the usual limit of a process is 1,024 of them",
		.per_user = 128,
		.machine = 256,
		.reserved = 32,
	},
	[QUOTA_REFUSALS] = {
		.name = "refused calls written down",
		.way_out = "ask again in a minute",
		.reason = "all that somebody starts is refused at once, or a script retries for "
			  "some seconds as fast as it can; in the long run nobody reads 50 a second",
		.per_user = 1000,
		.machine = 4000,
		.reserved = 400,
		.per_user_s = 50,
		.machine_s = 100,
	},
	[QUOTA_REFUSALS_WAITING] = {
		.name = "bytes of refused calls that wait to be explained",
		.way_out = "ask again in a minute",
		.reason = "as many as are written down at once, of 4 kB with what was known of "
			  "the port's holders at that moment",
		.per_user = 4 << 20,
		.machine = 16 << 20,
		.reserved = 2 << 20,
	},
	[QUOTA_REFUSALS_KEPT] = {
		.name = "explained refusals",
		.way_out = "the oldest of whoever has most make room",
		.reason = "a few kB each, and nobody reads further back",
		.per_user = 1000,
		.machine = 1000,
	},
	[QUOTA_SEARCHES] = {
		.name = "microseconds of searches through all processes",
		.way_out = "ask with the port: pd why PORT",
		.reason = "a search takes some milliseconds, on big machines some dozens: a tenth "
			  "of the time in the long run, and a burst does not wait for it",
		.per_user = 1000 * 1000,
		.machine = 2000 * 1000,
		.reserved = 200 * 1000,
		.per_user_s = 50 * 1000,
		.machine_s = 100 * 1000,
	},
	[QUOTA_UNSENT_BYTES] = {
		.name = "bytes of answers unread",
		.way_out = "read them and ask again",
		.reason = "four full answers of a page each; with those of all users a quarter of the "
			  "64 MB that the daemon stays under",
		.per_user = 4 * 1024 * 1024,
		.machine = 16 * 1024 * 1024,
		.reserved = 4 * 1024 * 1024,
	},
};
_Static_assert(ARRAY_SIZE(limits) == _QUOTA_MAX, "every kind has a row");

struct user {
	uid_t uid;
	uint64_t used[_QUOTA_MAX];
	UT_hash_handle hh;
};

struct quota {
	uid_t own_uid;
	struct user *users; /* those who use something */
	uint64_t used[_QUOTA_MAX];
};

const struct quota_limit *quota_limit(enum quota_kind kind)
{
	assert((unsigned)kind < _QUOTA_MAX);
	return &limits[kind];
}

const char *quota_refusal(enum quota_kind kind, enum quota_outcome outcome, char *ret, size_t size)
{
	const struct quota_limit *limit = quota_limit(kind);

	if (outcome == QUOTA_OVER_USER)
		snprintf(ret, size, "you have %" PRIu64 " %s, the limit of a user; %s",
			 limit->per_user, limit->name, limit->way_out);
	else
		snprintf(ret, size, "there are %" PRIu64 " %s, the limit of the machine; %s",
			 limit->machine, limit->name, limit->way_out);
	return ret;
}

int quota_new(uid_t own_uid, struct quota **ret)
{
	struct quota *q = calloc(1, sizeof(*q));

	if (!q)
		return -ENOMEM;
	q->own_uid = own_uid;
	*ret = q;
	return 0;
}

void quota_free(struct quota *q)
{
	struct user *user, *next;

	if (!q)
		return;
	HASH_ITER(hh, q->users, user, next) {
		HASH_DEL(q->users, user);
		free(user);
	}
	free(q);
}

static struct user *find(const struct quota *q, uid_t uid)
{
	struct user *user;

	HASH_FIND(hh, q->users, &uid, sizeof(uid), user);
	return user;
}

bool quota_exempts(uid_t uid, uid_t own_uid)
{
	return uid == 0 || uid == own_uid;
}

/* Never over: what is used may be more than the limit where somebody is exempt. */
static bool exceeds(uint64_t used, uint64_t amount, uint64_t limit)
{
	return used > limit || amount > limit - used;
}

static int judge(const struct quota *q, uid_t uid, enum quota_kind kind, uint64_t used,
		 uint64_t amount)
{
	const struct quota_limit *limit = &limits[kind];
	bool exempt = quota_exempts(uid, q->own_uid);
	uint64_t machine = limit->machine - (exempt ? 0 : limit->reserved);

	if (!exempt && exceeds(used, amount, limit->per_user))
		return QUOTA_OVER_USER;
	if (limit->machine && exceeds(q->used[kind], amount, machine))
		return QUOTA_OVER_MACHINE;
	return 0;
}

int quota_charge(struct quota *q, uid_t uid, enum quota_kind kind, uint64_t amount)
{
	struct user *user = find(q, uid);
	int r;

	assert((unsigned)kind < _QUOTA_MAX);
	r = judge(q, uid, kind, user ? user->used[kind] : 0, amount);
	if (r || !amount)
		return r;
	if (!user) {
		user = calloc(1, sizeof(*user));
		if (!user)
			return -ENOMEM;
		user->uid = uid;
		HASH_ADD(hh, q->users, uid, sizeof(user->uid), user);
	}
	user->used[kind] += amount;
	q->used[kind] += amount;
	return 0;
}

static bool uses_nothing(const struct user *user)
{
	for (int kind = 0; kind < _QUOTA_MAX; kind++)
		if (user->used[kind])
			return false;
	return true;
}

void quota_give_back(struct quota *q, uid_t uid, enum quota_kind kind, uint64_t amount)
{
	struct user *user = find(q, uid);

	if (!amount)
		return;
	assert(user && user->used[kind] >= amount);
	user->used[kind] -= amount;
	q->used[kind] -= amount;
	if (uses_nothing(user)) {
		HASH_DEL(q->users, user);
		free(user);
	}
}

uint64_t quota_used(const struct quota *q, uid_t uid, enum quota_kind kind)
{
	const struct user *user = find(q, uid);

	return user ? user->used[kind] : 0;
}

uint64_t quota_used_by_all(const struct quota *q, enum quota_kind kind)
{
	return q->used[kind];
}
