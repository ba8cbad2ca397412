/* SPDX-License-Identifier: MIT */
/* A listener that lives for 5 ms: nobody can ask while it is there. */
#include <time.h>

#include "case.h"

static void run_briefly(struct scene *s)
{
	struct timespec life = { .tv_nsec = 5000000 };

	tell(s, 0);
	holder_listen(s);
	tell(s, 0);
	nanosleep(&life, NULL);
}

/* The listener appears, the victim is refused, the listener is gone. */
static void appear(struct scene *s)
{
	actor_step(&s->first);
}

static void vanish(struct scene *s)
{
	actor_go(&s->first);
	actor_wait(&s->first);
}

const struct scenario scenario = {
	.verdict = "listener",
	.live = "gone",
	.live_after = true,
	.maybe_incomplete = true, /* who has left cannot always be counted */
	.run_holder = run_briefly,
	.before = appear,
	.after = vanish,
};
