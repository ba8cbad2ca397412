/* SPDX-License-Identifier: MIT */
#include "base/quota.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A table that cannot grow refuses the entry instead of ending the process. */
#define HASH_NONFATAL_OOM 1
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
		.excess = QUOTA_FORGETS,
		.reason = "a few kB each, and nobody reads further back",
		.per_user = 1000,
		.machine = 1000,
	},
	[QUOTA_HISTORY] = {
		.name = "holders of ports written into the history",
		.excess = QUOTA_FORGETS,
		.reason = "all servers of a workspace start at once; a test that listens and closes "
			  "a thousand times a second is no history that anybody reads",
		.per_user = 1000,
		.machine = 2000,
		.per_user_s = 50,
		.machine_s = 100,
	},
	[QUOTA_HISTORY_KEPT] = {
		.name = "holders in the history of ports",
		.excess = QUOTA_FORGETS,
		.reason = "some 5 MB, and months of what a developer starts",
		.per_user = 20000,
		.machine = 20000,
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
	[QUOTA_LOCKS_HELD] = {
		.name = "held locks",
		.way_out = "give one back: pd unlock NAME",
		.reason = "a timer and a watched process each; more is a loop that takes and "
			  "never gives back",
		.per_user = 256,
		.machine = 512,
		.reserved = 64,
	},
	[QUOTA_RUNS] = {
		.name = "runs",
		.way_out = "end one: pd ps, pd stop ID",
		.reason = "a watched process each, and an entry of a table in the kernel that all "
			  "share; more is a loop",
		.per_user = 256,
		.machine = 512,
		.reserved = 64,
	},
	[QUOTA_PROMPTS] = {
		.name = "shells with a hook",
		.way_out = "close one, or do without the hook there",
		.reason = "a small file each, which goes when its shell has ended; more is a loop "
			  "that makes sessions",
		.per_user = 256,
		.machine = 1024,
		.reserved = 64,
	},
	[QUOTA_LOCK_WAITERS] = {
		.name = "requests that wait for locks",
		.way_out = "try again when one of them has its lock",
		.reason = "an open connection each: half of them, so that pd unlock still gets in",
		.per_user = 64,
		.machine = 128,
		.reserved = 16,
	},
	[QUOTA_HEALTH_CHECKS] = {
		.name = "health checks that are not done",
		.way_out = "wait until some are, or ask for fewer services",
		.reason = "a kilobyte each, for up to five minutes where a service is silent",
		.per_user = 4096,
		.machine = 16384,
		.reserved = 1024,
	},
	[QUOTA_HEALTH_RUNNING] = {
		.name = "health checks at one time",
		.excess = QUOTA_DEFERS,
		.reason = "a descriptor each, half of the usual 1,024; a user may have the 300 "
			  "services of a large workspace, all of them silent",
		.per_user = 320,
		.machine = 512,
		.reserved = 128,
	},
	[QUOTA_PROCESS_FDS] = {
		.name = "descriptors of watched processes",
		.excess = QUOTA_DEFERS,
		.reason = "with the connections they stay below the usual 1,024; a process "
			  "without one is looked at every second",
		.per_user = 96,
		.machine = 192,
		.reserved = 16,
	},
	[QUOTA_CLAIMS] = {
		.name = "claims",
		.way_out = "give some back: pd release ID, or pd cleanup",
		.reason = "less than a third of the 6,900 ports of the default range: others find "
			  "theirs, and nobody has so many services",
		.per_user = 2000,
		.machine = 65535,
		.reserved = 1000,
	},
	[QUOTA_SESSIONS_ACTIVE] = {
		.name = "active sessions",
		.way_out = "end some: pd session end --session ID",
		.reason = "a watched process each; more is a loop that starts one after the other",
		.per_user = 256,
		.machine = 1024,
		.reserved = 64,
	},
	[QUOTA_SESSIONS_KEPT] = {
		.name = "sessions that are over",
		.excess = QUOTA_FORGETS,
		.reason = "some 5 kB each at most, and a list that people still read",
		.per_user = 1000,
		.machine = 1000,
	},
	[QUOTA_NOTE_BYTES] = {
		.name = "bytes of notes",
		.excess = QUOTA_FORGETS,
		.reason = "a thousand of the longest notes, and four users who write them",
		.per_user = 16 << 20,
		.machine = 64 << 20,
	},
	[QUOTA_LOG_ROWS] = {
		.name = "entries of the log",
		.excess = QUOTA_FORGETS,
		.reason = "some 30 MB; PORT_DADDY_LOG_ROWS sets another number",
		.per_user = 100000,
		.machine = 100000,
	},
	[QUOTA_LOCKS_KEPT] = {
		.name = "free locks that stay listed",
		.excess = QUOTA_FORGETS,
		.reason = "a list that people still read",
		.per_user = 256,
		.machine = 256,
	},
	[QUOTA_PORTS_KEPT] = {
		.name = "remembered ports",
		.excess = QUOTA_FORGETS,
		.reason = "half a kilobyte each at most; years of branches and their services",
		.per_user = 100000,
		.machine = 100000,
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
	struct quota_limit limits[_QUOTA_MAX];
	struct user *users; /* those who use something */
	uint64_t used[_QUOTA_MAX];
};

const struct quota_limit *quota_limit(enum quota_kind kind)
{
	assert((unsigned)kind < _QUOTA_MAX);
	return &limits[kind];
}

const struct quota_limit *quota_limit_of(const struct quota *q, enum quota_kind kind)
{
	assert((unsigned)kind < _QUOTA_MAX);
	return &q->limits[kind];
}

const char *quota_refusal(const struct quota_limit *limit, enum quota_outcome outcome, char *ret,
			  size_t size)
{
	if (outcome == QUOTA_OVER_USER)
		snprintf(ret, size, "you have %" PRIu64 " %s, the limit of a user; %s",
			 limit->per_user, limit->name, limit->way_out);
	else
		snprintf(ret, size,
			 "the machine's limit of %" PRIu64 " %s is reached (%" PRIu64
			 " of them are kept for root); %s",
			 limit->machine, limit->name, limit->reserved, limit->way_out);
	return ret;
}

int quota_new(uid_t own_uid, struct quota **ret)
{
	struct quota *q = calloc(1, sizeof(*q));

	if (!q)
		return -ENOMEM;
	q->own_uid = own_uid;
	memcpy(q->limits, limits, sizeof(limits));
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

/* --- where there are few descriptors --------------------------------------------------------- */

static uint64_t at_least(uint64_t least, uint64_t n)
{
	return n < least ? least : n;
}

/* Two of a user's, one of somebody else's and one of root's there always are: a run of pd's has a
 * stream open while it asks something. */
static void shrink(struct quota *q, enum quota_kind kind, uint64_t machine)
{
	const struct quota_limit *full = quota_limit(kind);
	struct quota_limit *limit = &q->limits[kind];

	if (machine >= full->machine)
		return;
	limit->machine = at_least(4, machine);
	limit->per_user = at_least(2, full->per_user * limit->machine / full->machine);
	limit->reserved = at_least(1, full->reserved * limit->machine / full->machine);
}

/* A connection costs more than its own: an eighth of them are programs that keep asking and are
 * known by a descriptor each, and a quarter may have been accepted and wait to be refused. */
#define CONNECTION_COSTS(n) ((n)*11 / 8)

void quota_divide_descriptors(struct quota *q, uint64_t left)
{
	uint64_t connections = quota_limit(QUOTA_CONNECTIONS)->machine;
	uint64_t processes = quota_limit(QUOTA_PROCESS_FDS)->machine;

	if (CONNECTION_COSTS(connections) > left / 2)
		connections = left / 2 * 8 / 11;
	left -= CONNECTION_COSTS(connections);
	if (processes > left / 8 * 3)
		processes = left / 8 * 3;
	left -= processes;
	shrink(q, QUOTA_CONNECTIONS, connections);
	shrink(q, QUOTA_LOCK_WAITERS, connections / 2);
	shrink(q, QUOTA_PROCESS_FDS, processes);
	shrink(q, QUOTA_HEALTH_RUNNING, left);
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

static int judge(const struct quota_limit *limit, bool exempt, uint64_t used, uint64_t used_by_all,
		 uint64_t amount)
{
	uint64_t machine = limit->machine - (exempt ? 0 : limit->reserved);

	if (!exempt && exceeds(used, amount, limit->per_user))
		return QUOTA_OVER_USER;
	if (limit->machine && exceeds(used_by_all, amount, machine))
		return QUOTA_OVER_MACHINE;
	return 0;
}

int quota_judge(enum quota_kind kind, bool exempt, uint64_t used, uint64_t used_by_all,
		uint64_t amount)
{
	return judge(quota_limit(kind), exempt, used, used_by_all, amount);
}

int quota_check(const struct quota *q, uid_t uid, enum quota_kind kind, uint64_t amount)
{
	return judge(quota_limit_of(q, kind), quota_exempts(uid, q->own_uid),
		     quota_used(q, uid, kind), q->used[kind], amount);
}

int quota_charge(struct quota *q, uid_t uid, enum quota_kind kind, uint64_t amount)
{
	int r = quota_check(q, uid, kind, amount);

	return r ? r : quota_charge_existing(q, uid, kind, amount);
}

int quota_charge_existing(struct quota *q, uid_t uid, enum quota_kind kind, uint64_t amount)
{
	struct user *user = find(q, uid);

	assert((unsigned)kind < _QUOTA_MAX);
	if (!amount)
		return 0;
	if (!user) {
		user = calloc(1, sizeof(*user));
		if (!user)
			return -ENOMEM;
		user->uid = uid;
		HASH_ADD(hh, q->users, uid, sizeof(user->uid), user);
		if (!user->hh.tbl) {
			free(user);
			return -ENOMEM;
		}
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
