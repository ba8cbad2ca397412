/* SPDX-License-Identifier: MIT */
#include "tracker/refusal_shares.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/quota.h"
#include "base/share.h"

/*
 * Users who are remembered, 3 kB each.  A user namespace may bring 65,536 more: of those the one
 * that was refused least recently is forgotten, and the machine's share bounds them all.
 */
#define USERS_MAX 256
/* Processes, and ports, of one user that are told apart: more of them run wild on few machines. */
#define SOURCES_MAX 16

/* A refusal that was written, and how often it came since. */
struct seen {
	struct process_id actor;
	uint16_t port;
	int error;
	enum event_call call;
	int64_t written; /* seconds; 0 = free */
	unsigned suppressed;
};

struct user {
	uint64_t used_turn;
	struct share share;
	/* what one process, or one port, had of the user's share */
	struct share_of processes[SOURCES_MAX], ports[SOURCES_MAX];
	struct seen seen[REFUSALS_REMEMBERED];
	unsigned next_seen; /* the one to overwrite */
};

struct refusal_shares {
	uid_t own_uid;
	uint64_t turn;
	struct share machine;
	size_t n_users;
	uid_t uids[USERS_MAX]; /* apart from the users: looked through for each refusal */
	struct user *users[USERS_MAX];
	uint64_t dropped;
};

int refusal_shares_new(uid_t own_uid, struct refusal_shares **ret)
{
	struct refusal_shares *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->own_uid = own_uid;
	*ret = s;
	return 0;
}

void refusal_shares_free(struct refusal_shares *s)
{
	for (size_t i = 0; s && i < s->n_users; i++)
		free(s->users[i]);
	free(s);
}

static size_t least_recent_user(const struct refusal_shares *s)
{
	size_t least = 0;

	for (size_t i = 1; i < s->n_users; i++)
		if (s->users[i]->used_turn < s->users[least]->used_turn)
			least = i;
	return least;
}

/* NULL without memory for one more. */
static struct user *find_user(struct refusal_shares *s, uid_t uid)
{
	size_t i = 0;

	while (i < s->n_users && s->uids[i] != uid)
		i++;
	if (i == USERS_MAX) {
		i = least_recent_user(s);
		*s->users[i] = (struct user){ 0 };
	} else if (i == s->n_users) {
		s->users[i] = calloc(1, sizeof(*s->users[i]));
		if (!s->users[i])
			return NULL;
		s->n_users++;
	}
	s->uids[i] = uid;
	s->users[i]->used_turn = ++s->turn;
	return s->users[i];
}

static struct seen *find_seen(struct user *user, const struct event *e)
{
	for (size_t i = 0; i < REFUSALS_REMEMBERED; i++) {
		struct seen *seen = &user->seen[i];

		if (seen->written && process_id_equal(&seen->actor, &e->actor) &&
		    seen->port == e->port && seen->error == e->error && seen->call == e->call)
			return seen;
	}
	return NULL;
}

static bool take_share(struct refusal_shares *s, struct user *user, const struct event *e,
		       int64_t now)
{
	const struct quota_limit *limit = quota_limit(QUOTA_REFUSALS);
	bool exempt = e->uid == 0 || e->uid == s->own_uid;
	int64_t machine = (int64_t)(limit->machine - (exempt ? 0 : limit->reserved));
	int64_t per_user = (int64_t)limit->per_user;
	struct share *process = share_of(user->processes, SOURCES_MAX, s->turn,
					 (uint64_t)e->actor.pid, e->actor.start_ticks);
	struct share *port = share_of(user->ports, SOURCES_MAX, s->turn, e->port, 0);

	share_settle(&s->machine, now, limit->machine_s);
	share_settle(&user->share, now, limit->per_user_s);
	share_settle(process, now, limit->per_user_s);
	share_settle(port, now, limit->per_user_s);
	if (!share_allows(&user->share, &s->machine, machine) ||
	    !share_allows(process, &user->share, per_user) ||
	    !share_allows(port, &user->share, per_user))
		return false;
	s->machine.used++;
	user->share.used++;
	process->used++;
	port->used++;
	return true;
}

bool refusal_shares_admit(struct refusal_shares *s, const struct event *event, int64_t now,
			  unsigned *ret_repeated)
{
	struct user *user = find_user(s, event->uid);
	struct seen *seen = user ? find_seen(user, event) : NULL;

	if (seen)
		seen->suppressed += event->left_out;
	if (seen && now - seen->written < REFUSALS_REPEAT_S) {
		seen->suppressed++;
		return false;
	}
	if (!user || !take_share(s, user, event, now)) {
		s->dropped++;
		return false;
	}
	*ret_repeated = seen ? seen->suppressed : 0;
	if (!seen) {
		seen = &user->seen[user->next_seen];
		user->next_seen = (user->next_seen + 1) % REFUSALS_REMEMBERED;
	}
	*seen = (struct seen){ .actor = event->actor,
			       .port = event->port,
			       .error = event->error,
			       .call = event->call,
			       .written = now };
	return true;
}

uint64_t refusal_shares_dropped(const struct refusal_shares *s)
{
	return s->dropped;
}
