/* SPDX-License-Identifier: MIT */
#include "daemon/refusal_words.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/text.h"

#define ROWS_LOOKED_AT 16 /* sockets of one port searched for the holder */

/* The owner in the way at that moment; likely ones come first.  NULL when nobody saw one. */
static const struct bind_owner *find_owner(const struct event *e)
{
	for (int i = 0; i < e->n_owners; i++)
		/* the caller's own socket is bound by now when listen() was refused */
		if (!e->cookie || e->owners[i].cookie != e->cookie)
			return &e->owners[i];
	return NULL;
}

/* The same as the table has it now: a listener before a socket that is only bound. */
static const struct socket_row *find_holder(const struct event *e, const struct inventory *inv)
{
	const struct socket_row *rows[ROWS_LOOKED_AT], *best = NULL;
	uint16_t port = event_is_rewritten(e) ? e->given_port : e->port;
	size_t n = inventory_by_port(inv, e->netns, port, rows, ARRAY_SIZE(rows));

	for (size_t i = 0; i < n && i < ARRAY_SIZE(rows); i++) {
		if (rows[i]->cookie == e->cookie && e->cookie)
			continue;
		if (!best || (rows[i]->state == SOCKET_LISTEN && best->state != SOCKET_LISTEN))
			best = rows[i];
	}
	return best;
}

/* row: of that socket; NULL where the table has none. */
static void describe_holder(const struct socket_row *row, enum socket_state state,
			    const struct inventory *inv, char *ret, size_t size)
{
	const struct process *process;
	char comm[4 * PROCESS_COMM_SIZE];

	if (!row || !row->n_holders) {
		snprintf(ret, size, "; the port has a %s socket that no process is seen to hold",
			 socket_state_name(state));
		return;
	}
	process = inventory_process(inv, &row->holders[0].id);
	snprintf(ret, size, "; held by %s (%d)",
		 text_escape_terminal(process ? process->comm : "?", comm, sizeof(comm)),
		 row->holders[0].id.pid);
}

/* Who was there when it was refused is right also when somebody else is there by now. */
static void describe_cause(const struct event *e, const struct inventory *inv, char *ret,
			   size_t size)
{
	const struct bind_owner *owner = find_owner(e);
	const struct socket_row *row;

	if (e->no_entry) {
		snprintf(ret, size, "; answered in the kernel's place (a seccomp filter)");
		return;
	}
	if (e->stage == EVENT_STAGE_DENIED || e->stage == EVENT_STAGE_BOUND) {
		snprintf(ret, size, "; answered by a BPF program of its cgroup");
		return;
	}
	if (e->error != EADDRINUSE)
		return;
	if (owner && owner->kernel) {
		snprintf(ret, size, "; held by the kernel itself");
		return;
	}
	/* of very many owners only connections were looked at: the table knows the listener */
	row = !owner || (e->more_owners && owner->peer_port) ? find_holder(e, inv) : NULL;
	if (!owner || row) {
		if (row)
			describe_holder(row, row->state, inv, ret, size);
		return;
	}
	row = owner->cookie ? inventory_by_cookie(inv, owner->cookie) : NULL;
	describe_holder(row, owner->state, inv, ret, size);
}

/* Where a program of a cgroup sent it: "; made 127.0.0.1:3001 by a BPF program of its cgroup". */
static void describe_rewriting(const struct event *e, char *ret, size_t size)
{
	char address[NET_ADDR_STR_SIZE];

	net_addr_format(e->family, &e->given_addr, address);
	snprintf(ret, size,
		 e->family == AF_INET6 ? "; made [%s]:%u by a BPF program of its cgroup"
				       : "; made %s:%u by a BPF program of its cgroup",
		 address, e->given_port);
}

void refusal_describe(const struct event *e, const struct inventory *inv, unsigned repeated,
		      char *ret)
{
	char address[NET_ADDR_STR_SIZE] = "", made[112] = "", holder[128] = "", again[48] = "";
	bool v6 = e->family == AF_INET6;

	if (event_is_rewritten(e))
		describe_rewriting(e, made, sizeof(made));
	describe_cause(e, inv, holder, sizeof(holder));
	if (repeated)
		snprintf(again, sizeof(again), " (and %u times more before)", repeated);
	snprintf(ret, REFUSAL_WORDS_SIZE, "%s %s%s%s:%u: %s%s%s%s",
		 e->call == EVENT_CALL_LISTEN ? "listen" : "bind", v6 ? "[" : "",
		 net_addr_format(e->family, &e->addr, address), v6 ? "]" : "", e->port,
		 net_errno_name(e->error), made, holder, again);
}
