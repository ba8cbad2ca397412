/* SPDX-License-Identifier: MIT */
/* The queue of checks, and the order of attempts. */
#include "health/health.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/quota.h"
#include "health/internal.h"

static const char *const result_names[] = {
	[HEALTH_OK] = "ok",
	[HEALTH_HTTP_ERROR] = "http_error",
	[HEALTH_TIMEOUT] = "timeout",
	[HEALTH_REFUSED] = "refused",
	[HEALTH_UNREACHABLE] = "unreachable",
	[HEALTH_RESET] = "reset",
	[HEALTH_CLOSED] = "closed",
	[HEALTH_NOT_HTTP] = "not_http",
	[HEALTH_TLS_FAILED] = "tls_failed",
	[HEALTH_FAILED] = "failed",
	[HEALTH_NOT_TRIED] = "not_tried",
};
_Static_assert(ARRAY_SIZE(result_names) == _HEALTH_RESULT_MAX, "every result has a name");

const char *health_result_name(enum health_result result)
{
	return (unsigned)result < _HEALTH_RESULT_MAX ? result_names[result] : "failed";
}

/* --- attempts --- */

static void begin(struct health_check *c, enum health_scheme scheme)
{
	c->state = CHECK_RUNNING;
	c->attempt = (struct attempt){ .scheme = scheme, .began_us = clock_us(CLOCK_MONOTONIC) };
	if (scheme == HEALTH_TCP)
		health_tcp_begin(c);
	else
		health_http_begin(c, scheme == HEALTH_HTTPS);
}

static void end(struct health_check *c)
{
	health_http_end(c);
	health_tcp_end(c);
}

static bool may_run(const struct health *h, const struct share *s)
{
	const struct quota_limit *limit = quota_limit_of(h->quota, QUOTA_HEALTH_RUNNING);
	uint64_t few = limit->reserved < HEALTH_RUNNING_FEW ? limit->reserved : HEALTH_RUNNING_FEW;

	if (h->ends || h->n_running >= limit->machine)
		return false;
	if (quota_exempts(s->uid, h->own_uid) || s->n_running < few)
		return true;
	return s->n_running < limit->per_user && h->n_running < limit->machine - limit->reserved;
}

/* The check of a user that is to run next; NULL when none is, or may. */
static struct health_check *next_of(const struct health *h, const struct share *s)
{
	struct health_check *c = may_run(h, s) ? TAILQ_FIRST(&s->waiting) : NULL;

	/* one whose timer is due leaves its place to those that can still use it */
	while (c && !health_left_us(c))
		c = TAILQ_NEXT(c, link);
	return c;
}

static void run(struct health_check *c)
{
	struct health *h = c->health;
	struct share *s = c->share;

	TAILQ_REMOVE(&s->waiting, c, link);
	TAILQ_INSERT_TAIL(&s->running, c, link);
	s->n_running++;
	h->n_running++;
	TAILQ_REMOVE(&h->shares, s, link);
	TAILQ_INSERT_TAIL(&h->shares, s, link);
	begin(c, c->target.scheme);
}

/* One of each user in turn, as long as somebody's may run. */
static void run_next(struct health *h)
{
	struct health_check *c;
	struct share *s;

	do {
		c = NULL;
		TAILQ_FOREACH(s, &h->shares, link) {
			c = next_of(h, s);
			if (c)
				break;
		}
		if (c)
			run(c);
	} while (c);
}

static struct share *share_of(struct health *h, uid_t uid)
{
	struct share *s;

	TAILQ_FOREACH(s, &h->shares, link)
		if (s->uid == uid)
			return s;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->uid = uid;
	TAILQ_INIT(&s->waiting);
	TAILQ_INIT(&s->running);
	TAILQ_INSERT_TAIL(&h->shares, s, link);
	return s;
}

/* Frees the share with its last check. */
static void take_off(struct health_check *c)
{
	struct health *h = c->health;
	struct share *s = c->share;

	if (c->state == CHECK_WAITING) {
		TAILQ_REMOVE(&s->waiting, c, link);
	} else {
		TAILQ_REMOVE(&s->running, c, link);
		s->n_running--;
		h->n_running--;
	}
	quota_give_back(h->quota, s->uid, QUOTA_HEALTH_CHECKS, 1);
	if (--s->n)
		return;
	TAILQ_REMOVE(&h->shares, s, link);
	free(s);
}

static void check_free(struct health_check *c)
{
	end(c);
	if (c->timer)
		event_free(c->timer);
	free((char *)c->target.host);
	free((char *)c->target.path);
	free(c);
}

static void finish(struct health_check *c, const struct health_answer *answer)
{
	struct health_answer copy = *answer;
	struct health *h = c->health;
	health_done done = c->done;
	void *user_data = c->user_data;

	take_off(c);
	check_free(c);
	run_next(h);
	done(&copy, user_data);
}

/* What the deadline met.  A status that came in time counts, however long its body takes. */
static void expire(struct health_check *c)
{
	struct health_answer *a = &c->answer;

	a->result = c->state == CHECK_WAITING ? HEALTH_NOT_TRIED : HEALTH_TIMEOUT;
	a->elapsed_us = (uint64_t)c->timeout_ms * 1000;
	a->scheme = c->attempt.scheme;
	snprintf(a->details, sizeof(a->details), "%s %u%s",
		 c->state == CHECK_WAITING ? "not tried within" : "no response for",
		 c->timeout_ms % 1000 ? c->timeout_ms : c->timeout_ms / 1000,
		 c->timeout_ms % 1000 ? "ms" : "s");
}

static void retry_over_tls(struct health_check *c)
{
	c->tried_tls = true;
	c->plain = c->answer;
	end(c);
	c->answer = (struct health_answer){ 0 };
	health_run_timer_in(c, health_left_us(c));
	begin(c, HEALTH_HTTPS);
}

static void settled(struct health_check *c)
{
	bool retried = c->tried_tls;

	if (!retried && c->attempt.scheme == HEALTH_HTTP && health_left_us(c) &&
	    health_http_hints_at_tls(c)) {
		retry_over_tls(c);
		return;
	}
	/* TLS was only a guess: where it leads nowhere, the first answer stands */
	finish(c, retried && !c->attempt.head_known ? &c->plain : &c->answer);
}

static void on_timer(evutil_socket_t fd, short what, void *user_data)
{
	struct health_check *c = user_data;

	if (c->state == CHECK_SETTLED) {
		settled(c);
	} else if (health_left_us(c)) {
		/* the loop counts from the begin of its turn, which may be long ago */
		health_run_timer_in(c, health_left_us(c));
	} else if (c->attempt.head_known) {
		health_settle(c, c->answer.result);
	} else {
		expire(c);
		finish(c, c->tried_tls ? &c->plain : &c->answer);
	}
}

/* --- the interface --- */

int health_new(struct event_base *loop, struct quota *quota, struct health **ret)
{
	struct health *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	h->loop = loop;
	h->quota = quota;
	h->own_uid = geteuid();
	TAILQ_INIT(&h->shares);
	*ret = h;
	return 0;
}

void health_free(struct health *h)
{
	if (!h)
		return;
	h->ends = true;
	while (!TAILQ_EMPTY(&h->shares)) {
		const struct share *s = TAILQ_FIRST(&h->shares);

		/* it is freed with the last of its checks */
		health_check_cancel(TAILQ_EMPTY(&s->waiting) ? TAILQ_FIRST(&s->running)
							     : TAILQ_FIRST(&s->waiting));
	}
	health_tls_free(h);
	free(h);
}

/* Four of its megabytes are code; the rest stays, as it cannot be unloaded. */
void health_give_back(struct health *h)
{
	if (!h->tls || !TAILQ_EMPTY(&h->shares))
		return;
	health_tls_free(h);
	memory_let_go_of_code();
}

static int check_new(struct health *h, const struct health_target *target,
		     struct health_check **ret)
{
	struct health_check *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->health = h;
	c->target = *target;
	c->target.host = strdup(target->host);
	c->target.path = target->path ? strdup(target->path) : NULL;
	c->timer = evtimer_new(h->loop, on_timer, c);
	if (!c->target.host || (target->path && !c->target.path) || !c->timer) {
		check_free(c);
		return -ENOMEM;
	}
	*ret = c;
	return 0;
}

/* Puts a new check behind the others of its user.  0, -ENOMEM. */
static int put_on(struct health_check *c, uid_t uid)
{
	struct share *s = share_of(c->health, uid);

	if (!s)
		return -ENOMEM;
	c->share = s;
	s->n++;
	TAILQ_INSERT_TAIL(&s->waiting, c, link);
	return 0;
}

int health_check_start(struct health *h, const struct health_target *target, uid_t uid,
		       uint64_t since_us, unsigned timeout_ms, health_done done, void *user_data,
		       struct health_check **ret)
{
	struct health_check *c = NULL;
	int r = quota_charge(h->quota, uid, QUOTA_HEALTH_CHECKS, 1);

	if (r)
		return r;
	r = check_new(h, target, &c);
	r = r ?: put_on(c, uid);
	if (r) {
		quota_give_back(h->quota, uid, QUOTA_HEALTH_CHECKS, 1);
		if (c)
			check_free(c);
		return r;
	}
	c->done = done;
	c->user_data = user_data;
	c->timeout_ms = timeout_ms;
	c->deadline_us = since_us + (uint64_t)timeout_ms * 1000;
	health_run_timer_in(c, health_left_us(c));
	run_next(h);
	*ret = c;
	return 0;
}

void health_check_cancel(struct health_check *c)
{
	struct health *h;

	if (!c)
		return;
	h = c->health;
	take_off(c);
	check_free(c);
	run_next(h);
}
