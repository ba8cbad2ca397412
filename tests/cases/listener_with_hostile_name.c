/* SPDX-License-Identifier: MIT */
/* The holder's name tries to speak to a terminal, and to a JSON parser. */
#include "case.h"

static void run_hostile(struct scene *s)
{
	prctl(PR_SET_NAME, "\033[2J\"}]\n\\\xff\xfe");
	memcpy(s->arguments, "\033]0;\"\n\xff", 7);
	run_listener(s);
}

const struct scenario scenario = {
	.verdict = "listener",
	.run_holder = run_hostile,
	.remedy = stop_holder,
};
