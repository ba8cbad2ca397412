/* SPDX-License-Identifier: MIT */
/* The listening socket is in a message that its receiver has not read. */
#include "case.h"
#include "case_pass.h"

static void run_receiver(struct scene *s)
{
	close(pass_ends[0]);
	tell(s, 0);
	close(take_descriptor(pass_ends[1]));
	tell(s, 0);
}

static void send_and_leave(struct scene *s)
{
	start_receiver(s, run_receiver);
	may_be_named(s, s->first.pid);
}

const struct scenario scenario = {
	.verdict = "in_flight",
	.holder = { .addr = "127.0.0.1" },
	.attempt = { .addr = "127.0.0.1" },
	.set_up = send_and_leave,
	.remedy = let_holder_go_on,
};
