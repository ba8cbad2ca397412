/* SPDX-License-Identifier: MIT */
#include "cli/client/await.h"

#include <errno.h>
#include <stdbool.h>

#include "cli/client/connection.h"
#include "cli/render/render.h"

#define SILENT_WAIT_S 4 /* a write behind another program's takes two, and says so by itself */

static void tell_of_wait(pid_t pid)
{
	if (pid)
		render_note("the daemon (pid %d) has not answered yet", pid);
	else
		render_note("the daemon has not answered yet");
}

int await_head(struct connection *c, int64_t timeout_s)
{
	bool is_due = timeout_s == CONNECTION_TIMEOUT_S;
	int r;

	c->timeout_s = is_due ? SILENT_WAIT_S : timeout_s;
	r = connection_read_head(c);
	if (r == -EAGAIN && is_due) {
		tell_of_wait(connection_peer_pid(c));
		c->timeout_s = timeout_s - SILENT_WAIT_S;
		r = connection_read_head(c);
	}
	c->timeout_s = timeout_s;
	return r;
}
