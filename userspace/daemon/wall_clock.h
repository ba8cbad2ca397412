/* SPDX-License-Identifier: MIT */
/*
 * The wall clock, where it goes another way than the loop's timers.  Those count on the monotonic
 * clock, which stands while the machine sleeps and knows nothing of a clock that is set.  What ends
 * at a moment of the wall clock has a timer, and is looked at again when this one tells.
 */
#ifndef DAEMON_WALL_CLOCK_H
#define DAEMON_WALL_CLOCK_H

struct event_base;
struct wall_clock;

/* `changed` is called after the machine has slept, or the clock was set.  0, negative errno. */
int wall_clock_new(struct event_base *loop, void (*changed)(void *user_data), void *user_data,
		   struct wall_clock **ret);
/* NULL is allowed. */
void wall_clock_free(struct wall_clock *w);

#endif
