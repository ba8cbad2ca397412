/* SPDX-License-Identifier: MIT */
#include "tracker/refusal_queue.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <utlist.h>

/* A table that cannot grow refuses the entry instead of ending the process. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "base/cleanup.h"
#include "base/quota.h"

struct waiting {
	struct refusal_key key;
	size_t bytes;
	void *refusal;
	uint64_t number; /* of its arrival */
	/*
	 * When it is due among its user's own: after as many others as waited of its process or
	 * its port when it came.  One from elsewhere that comes later passes those behind it.
	 */
	uint64_t due;
	struct waiting *prev, *next;
};

struct user {
	uid_t uid;
	struct waiting *waiting; /* in order of arrival */
	size_t bytes;
	uint64_t served; /* `due` of the one that was taken last */
	struct user *prev, *next;
	UT_hash_handle hh;
};

struct refusal_queue {
	struct quota *quota;
	refusal_drop drop;
	void *user_data;
	struct user *by_uid; /* those of whom something waits */
	struct user *turns;  /* the same; the first is next */
	uint64_t arrivals;
	size_t n;
};

int refusal_queue_new(struct quota *quota, refusal_drop drop, void *user_data,
		      struct refusal_queue **ret)
{
	struct refusal_queue *q = calloc(1, sizeof(*q));

	if (!q)
		return -ENOMEM;
	q->quota = quota;
	q->drop = drop;
	q->user_data = user_data;
	*ret = q;
	return 0;
}

/* --- one user -------------------------------------------------------------------------------- */

static struct user *find_user(struct refusal_queue *q, uid_t uid)
{
	struct user *user;

	HASH_FIND(hh, q->by_uid, &uid, sizeof(uid), user);
	return user;
}

static int add_user(struct refusal_queue *q, uid_t uid, struct user **ret)
{
	struct user *user = calloc(1, sizeof(*user));

	if (!user)
		return -ENOMEM;
	user->uid = uid;
	HASH_ADD(hh, q->by_uid, uid, sizeof(user->uid), user);
	if (!user->hh.tbl) {
		free(user);
		return -ENOMEM;
	}
	DL_APPEND(q->turns, user);
	*ret = user;
	return 0;
}

/* Returns what waited; a user of whom nothing waits any more is forgotten. */
static void *take_out(struct refusal_queue *q, struct user *user, struct waiting *w)
{
	void *refusal = w->refusal;

	DL_DELETE(user->waiting, w);
	quota_give_back(q->quota, user->uid, QUOTA_REFUSALS_WAITING, w->bytes);
	user->bytes -= w->bytes;
	q->n--;
	free(w);
	if (user->waiting)
		return refusal;
	HASH_DEL(q->by_uid, user);
	DL_DELETE(q->turns, user);
	free(user);
	return refusal;
}

static uint64_t due_of(const struct user *user, const struct refusal_key *key)
{
	uint64_t of_process = 0, of_port = 0;
	const struct waiting *w;

	DL_FOREACH(user->waiting, w) {
		of_process += process_id_equal(&w->key.caller, &key->caller);
		of_port += w->key.port == key->port;
	}
	return user->served + (of_process > of_port ? of_process : of_port);
}

static struct waiting *first_due(const struct user *user)
{
	struct waiting *w, *first = user->waiting;

	DL_FOREACH(user->waiting, w)
		if (w->due < first->due)
			first = w;
	return first;
}

static struct waiting *last_due(const struct user *user)
{
	struct waiting *w, *last = user->waiting;

	DL_FOREACH(user->waiting, w)
		if (w->due >= last->due)
			last = w;
	return last;
}

/* --- room ------------------------------------------------------------------------------------ */

static struct user *who_has_most(const struct refusal_queue *q)
{
	struct user *user, *most = q->turns;

	DL_FOREACH(q->turns, user)
		if (user->bytes > most->bytes)
			most = user;
	return most;
}

/* Charges for one more, once others have made room for it.  False: it is the one to go. */
static bool make_room(struct refusal_queue *q, const struct refusal_key *key, size_t bytes)
{
	int r;

	while ((r = quota_charge(q->quota, key->uid, QUOTA_REFUSALS_WAITING, bytes)) > 0) {
		struct user *own = find_user(q, key->uid);
		struct user *from = r == QUOTA_OVER_USER ? own : who_has_most(q);
		struct waiting *last;

		if (!from || (from != own && from->bytes <= (own ? own->bytes : 0) + bytes))
			from = own;
		if (!from)
			return false;
		last = last_due(from);
		if (from == own && last->due <= due_of(own, key))
			return false;
		q->drop(take_out(q, from, last), q->user_data);
	}
	return r == 0;
}

int refusal_queue_put(struct refusal_queue *q, const struct refusal_key *key, size_t bytes,
		      void *refusal)
{
	struct waiting *w = calloc(1, sizeof(*w));
	struct user *user;
	bool charged;
	int r;

	if (!w) {
		q->drop(refusal, q->user_data);
		return -ENOMEM;
	}
	bytes += sizeof(*w);
	charged = make_room(q, key, bytes);
	user = find_user(q, key->uid);
	r = charged && !user ? add_user(q, key->uid, &user) : 0;
	if (!charged || r) {
		if (charged)
			quota_give_back(q->quota, key->uid, QUOTA_REFUSALS_WAITING, bytes);
		q->drop(refusal, q->user_data);
		free(w);
		return r;
	}
	*w = (struct waiting){ .key = *key,
			       .bytes = bytes,
			       .refusal = refusal,
			       .number = ++q->arrivals,
			       .due = due_of(user, key) };
	DL_APPEND(user->waiting, w);
	user->bytes += bytes;
	q->n++;
	return 0;
}

/* --- taking ---------------------------------------------------------------------------------- */

void *refusal_queue_take(struct refusal_queue *q)
{
	struct user *user = q->turns;
	struct waiting *w;

	if (!user)
		return NULL;
	DL_DELETE(q->turns, user);
	DL_APPEND(q->turns, user);
	w = first_due(user);
	user->served = w->due;
	return take_out(q, user, w);
}

struct asked {
	pid_t pid;
	uint16_t port;
	size_t n;
	struct user *whose; /* of the newest */
	struct waiting *newest;
};

static void ask_user(struct asked *a, struct user *user)
{
	struct waiting *w;

	DL_FOREACH(user->waiting, w) {
		if ((a->pid && w->key.caller.pid != a->pid) || (a->port && w->key.port != a->port))
			continue;
		a->n++;
		if (a->newest && a->newest->number > w->number)
			continue;
		a->newest = w;
		a->whose = user;
	}
}

static struct asked ask(const struct refusal_queue *q, uid_t uid, pid_t pid, uint16_t port)
{
	struct asked a = { .pid = pid, .port = port };
	struct user *user;

	DL_FOREACH(q->turns, user)
		if (uid == PROCESS_UID_UNKNOWN || user->uid == uid)
			ask_user(&a, user);
	return a;
}

void *refusal_queue_take_newest(struct refusal_queue *q, uid_t uid, pid_t pid, uint16_t port)
{
	struct asked a = ask(q, uid, pid, port);

	return a.newest ? take_out(q, a.whose, a.newest) : NULL;
}

size_t refusal_queue_count_of(const struct refusal_queue *q, uid_t uid, pid_t pid, uint16_t port)
{
	return ask(q, uid, pid, port).n;
}

size_t refusal_queue_count(const struct refusal_queue *q)
{
	return q->n;
}

void refusal_queue_free(struct refusal_queue *q)
{
	if (!q)
		return;
	while (q->turns)
		q->drop(take_out(q, q->turns, q->turns->waiting), q->user_data);
	free(q);
}
