/* SPDX-License-Identifier: MIT */
/* The server closed first, and its client keeps its own end open. */
#include "case.h"

static void start(struct scene *s)
{
	start_connection(s, run_server_closing);
	await_state(s, STATE_FIN_WAIT2);
}

const struct scenario scenario = {
	.verdict = "orphan_fin_wait2",
	.set_up = start,
	.remedy = destroy_sockets,
};
