/* SPDX-License-Identifier: MIT */
/*
 * POST /v1/locks (pd lock, pd with-lock): takes a lock, at once or, with "wait", when its turn has
 * come: then the request is kept until the queue tells.  A name belongs to the user who asks, as
 * the kernel says; with "machine" it is the one of everybody.
 *
 * With "run" it lasts until all that its process starts has ended: for pd with-lock, which starts
 * its command when it has the answer.
 *
 * A grant is answered after its commit.  Where the client did not take the answer, the grant is
 * taken back.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/lock_request.h"
#include "api/routes.h"
#include "api/state.h"
#include "base/log.h"
#include "base/moment.h"
#include "base/text.h"
#include "coordination/locks.h"
#include "http/kept.h"
#include "view/coordination.h"

#define WAIT_FOREVER "forever"

struct wanted_lock {
	const char *name;
	struct lock_asker asker;
	int64_t ttl_s;	/* 0 = none */
	int64_t wait_s; /* 0 = not at all */
	int64_t fence;	/* only this grant is to be renewed; 0 = any */
	bool machine;
	bool run; /* it lasts until all that its process starts has ended */
};

static param_read read_wait;

ROUTE(locks_post, POST, "/v1/locks", struct wanted_lock,
      PARAM_LOCK_NAME(struct wanted_lock, name, .missing = LOCK_NAME_IS_MISSING),
      PARAM_LOCK_ASKER(struct wanted_lock, asker),
      PARAM_TEXT("program", struct wanted_lock, asker.program),
      PARAM_DURATION("ttl", struct wanted_lock, ttl_s),
      PARAM_ROW("wait", read_wait, struct wanted_lock, wait_s, int64_t),
      PARAM_COUNT("fence", struct wanted_lock, fence),
      PARAM_BOOL("machine", struct wanted_lock, machine),
      PARAM_BOOL("run", struct wanted_lock, run));

/* --- whether the answer was taken --- */

/* A grant whose answer is on its way. */
struct granting {
	struct api *api;
	struct lock_key key;
	int64_t fence;
};

static void on_delivered(bool taken, void *user_data)
{
	_cleanup_free_ struct granting *g = user_data;

	if (!taken)
		locks_take_back(g->api->locks, g->key, g->fence);
}

static int expect_delivery(struct request *r, const struct lock *lock)
{
	struct granting *g = calloc(1, sizeof(*g));

	if (!g)
		return -ENOMEM;
	g->api = r->api;
	g->key = lock_key_of(lock);
	g->fence = lock->fence;
	r->delivered = on_delivered;
	r->delivered_data = g;
	return 0;
}

/* --- the answer --- */

static int show_grant(struct request *r, const struct lock *lock, bool existing)
{
	int fault = request_begin_write(r);

	if (!fault && !existing)
		fault = expect_delivery(r, lock);
	if (fault) {
		if (!existing)
			locks_take_back(r->api->locks, lock_key_of(lock), lock->fence);
		return fault;
	}
	json_add_text(r->answer, "name", lock->name);
	json_add_bool(r->answer, "machine", lock->owner == LOCK_OF_MACHINE);
	json_add_text(r->answer, "holder", lock->holder);
	json_add_int(r->answer, "fence", lock->fence);
	json_add_bool(r->answer, "existing", existing);
	json_add_int(r->answer, "pid", lock->process.pid);
	json_add_text(r->answer, "process", lock->comm);
	json_add_bool(r->answer, "shortLived", lock->short_lived);
	json_add_known(r->answer, "successorPid", lock->successor.pid);
	json_add_text(r->answer, "successor", lock->successor_comm);
	json_add_int(r->answer, "acquiredAt", lock->acquired_at);
	json_add_known(r->answer, "ttl", lock->ttl_s);
	json_add_known(r->answer, "expiresAt", lock->expires_at);
	return 0;
}

static int refuse_held(struct request *r, const struct lock *lock, int64_t waited_s)
{
	char words[LOCK_WORDS_SIZE], waited[32];

	request_extra(r, "lock", view_lock(r->api->locks, lock, request_user(r)));
	lock_words_held(lock, time(NULL), words);
	if (!waited_s)
		return request_fail(r, OUTCOME_CONFLICT, "%s is %s; wait for it with --wait",
				    lock->name, words);
	return request_fail(r, OUTCOME_CONFLICT, "%s is %s; waited %s for it", lock->name, words,
			    duration_format_long(waited_s, waited));
}

/* What the locks said, as a handler returns it. */
static int show(struct request *r, int result, const struct lock_answer *a, int64_t waited_s)
{
	const struct lock *lock = &a->lock;

	switch (result) {
	case LOCK_GRANTED:
	case LOCK_RENEWED:
		return show_grant(r, lock, result == LOCK_RENEWED);
	case LOCK_HELD:
		return refuse_held(r, lock, waited_s);
	case LOCK_GRANT_IS_OVER:
		return request_fail(r, OUTCOME_CONFLICT, "%s is not held with fence %lld any more",
				    lock->name, (long long)lock->fence);
	case LOCK_PROCESS_ENDED:
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "%s (pid %d), whose the lock would be, has ended", lock->comm,
				    lock->process.pid);
	case LOCK_LIMIT:
		return request_fail_quota(r, a->limit, a->excess);
	default:
		return result;
	}
}

/* Where the kernel side cannot follow a run, the lock ends with its process, as others do. */
static void follow_run(struct api *api, const struct lock *lock)
{
	int r = locks_follow_run(api->locks, lock_key_of(lock), lock->fence);

	if (r && r != -EOPNOTSUPP && r != -ESRCH)
		log_warning("lock %s ends with its process: what that starts is not followed: %s",
			    lock->name, strerror(-r));
}

/* --- waiting --- */

struct waiter {
	struct kept_request *request;
	struct lock_ticket *ticket;
	int64_t wait_s;
	bool run;
};

static void on_told(int result, const struct lock_answer *answer, void *user_data)
{
	_cleanup_free_ struct waiter *w = user_data;
	struct request *r = kept_request_get(w->request);

	if (w->run && (result == LOCK_GRANTED || result == LOCK_RENEWED))
		follow_run(r->api, &answer->lock);
	kept_request_answer(w->request, show(r, result, answer, w->wait_s));
}

static void on_left(void *user_data)
{
	_cleanup_free_ struct waiter *w = user_data;

	locks_leave(w->ticket);
}

static int wait_for(struct request *r, const struct lock *wanted, int64_t wait_s, bool run)
{
	_cleanup_free_ struct waiter *w = calloc(1, sizeof(*w));
	struct lock_answer answer;
	int result;

	if (!w)
		return -ENOMEM;
	w->wait_s = wait_s;
	w->run = run;
	result = locks_wait(r->api->locks, wanted, wait_s, on_told, w, &answer);
	if (result != LOCK_QUEUED)
		return show(r, result, &answer, 0);
	w->ticket = answer.ticket;
	result = kept_request_new(r, on_left, w, &w->request);
	if (result)
		locks_leave(w->ticket);
	else
		TAKE_PTR(w);
	return result;
}

/* --- the request --- */

static int read_wait(struct request *r, const struct param *p, const struct param_value *value,
		     void *ret)
{
	if (strcmp(value->text, WAIT_FOREVER) != 0)
		return param_duration(r, p, value, ret);
	*(int64_t *)ret = LOCK_WAIT_FOREVER;
	return 0;
}

static int fill_wanted(struct request *r, struct wanted_lock *w, struct lock *wanted)
{
	int fault = lock_request_asker(r, &w->asker);

	*wanted = (struct lock){ .uid = r->uid, .ttl_s = w->ttl_s, .fence = w->fence };
	if (fault)
		return fault;
	strcpy(wanted->name, w->name);
	strcpy(wanted->holder, w->asker.name);
	wanted->owner = w->machine ? LOCK_OF_MACHINE : request_user(r);
	wanted->process = w->asker.owner.id;
	text_to_utf8(w->asker.owner.comm, wanted->comm, sizeof(wanted->comm));
	wanted->short_lived = w->asker.short_lived;
	wanted->successor = w->asker.successor.id;
	text_to_utf8(w->asker.successor.comm, wanted->successor_comm,
		     sizeof(wanted->successor_comm));
	return 0;
}

static int handle(struct request *r)
{
	struct wanted_lock *w = r->params;
	struct lock_answer answer;
	struct lock wanted;
	int result = fill_wanted(r, w, &wanted);

	if (result)
		return result;
	result = locks_acquire(r->api->locks, &wanted, &answer);
	if (result == LOCK_HELD && w->wait_s)
		return wait_for(r, &wanted, w->wait_s, w->run);
	if (w->run && (result == LOCK_GRANTED || result == LOCK_RENEWED))
		follow_run(r->api, &answer.lock);
	return show(r, result, &answer, 0);
}
