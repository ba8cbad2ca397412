/* SPDX-License-Identifier: MIT */
/* What an attempt tells its check, and the check's time. */
#include <event2/event.h>

#include "base/clock.h"
#include "health/internal.h"

void health_run_timer_in(struct health_check *c, uint64_t wait_us)
{
	struct timeval wait = { .tv_sec = (time_t)(wait_us / 1000000),
				.tv_usec = (suseconds_t)(wait_us % 1000000) };

	event_add(c->timer, &wait);
}

uint64_t health_left_us(const struct health_check *c)
{
	uint64_t now = clock_us(CLOCK_MONOTONIC);

	return c->deadline_us > now ? c->deadline_us - now : 0;
}

void health_head_known(struct health_check *c)
{
	uint64_t left = health_left_us(c), wait = HEALTH_BODY_WAIT_MS * 1000;

	c->attempt.head_known = true;
	c->answer.elapsed_us = clock_us(CLOCK_MONOTONIC) - c->attempt.began_us;
	if (left > wait)
		c->deadline_us -= left - wait;
	health_run_timer_in(c, health_left_us(c));
}

/*
 * Everything goes on from the loop, in on_timer(): a settled attempt is still on the stack of the
 * library that told of it, which may not be freed under it.
 */
void health_settle(struct health_check *c, enum health_result result)
{
	if (c->state == CHECK_SETTLED)
		return;
	c->state = CHECK_SETTLED;
	c->answer.result = result;
	c->answer.scheme = c->attempt.scheme;
	if (!c->attempt.head_known)
		c->answer.elapsed_us = clock_us(CLOCK_MONOTONIC) - c->attempt.began_us;
	event_active(c->timer, EV_TIMEOUT, 0);
}
