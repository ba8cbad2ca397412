/* SPDX-License-Identifier: MIT */
#include "explain/brief.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/moment.h"
#include "base/run.h"
#include "base/text.h"
#include "explain/holder.h"
#include "explain/owners.h"

#define ROWS_LOOKED_AT 16 /* sockets of one port searched for the one in the way */

/* --- a refusal ------------------------------------------------------------------------------- */

/* Behind the programs of cgroups the kernel goes on with what they made of the address. */
static void recall_rewriting(const struct event *e, struct why_question *q)
{
	if (!event_is_rewritten(e))
		return;
	q->rewritten = true;
	q->asked_addr = q->addr;
	q->asked_port = q->port;
	q->addr = e->given_addr;
	q->port = e->given_port;
}

struct why_question why_question_of_event(const struct event *e)
{
	struct why_question q = {
		.protocol = e->protocol == IPPROTO_UDP ? IPPROTO_UDP : IPPROTO_TCP,
		.family = e->family ? e->family : AF_INET,
		.addr = e->addr,
		.port = e->port,
		.v6only = e->v6only,
		.reuseaddr = e->reuseaddr,
		.reuseport = e->reuseport,
		.has_program = e->has_program,
		.uid = e->sk_uid,
		.dev = e->dev,
		.call = e->call,
		.error = e->error,
		.caller = e->actor,
		.cookie = e->cookie,
		.no_entry = e->no_entry,
		.hardcoded = e->asked_port,
		.bound_port = e->bound_port,
		.stage = e->stage,
		.addr_named = true,
	};

	recall_rewriting(e, &q);
	return q;
}

/* The one that the verdict would be about; of none that is surely in the way the first, for likely
 * ones come first.  NULL when there is nobody but the caller's own socket. */
static const struct why_owner *choose(const struct why_question *q, const struct bind_table *table,
				      const struct why_owner *owners, size_t n)
{
	struct why_answer answer;

	why_explain(q, table, owners, n, NULL, 0, NULL, &answer);
	if (answer.n_blocking)
		return answer.blocking[0];
	for (size_t i = 0; i < n; i++)
		/* the caller's own socket is bound by now when listen() was refused */
		if (!q->cookie || owners[i].bind.cookie != q->cookie)
			return &owners[i];
	return NULL;
}

/* The oldest of those that the table knows. */
static void name_holder(const struct inventory *inv, const struct socket_row *row,
			struct why_obstacle *ret)
{
	if (!row || !row->n_holders)
		return;
	ret->holder = row->holders[0].id;
	inventory_process_name(inv, &ret->holder, ret->comm);
}

static bool find_recorded(const struct event *e, const struct why_question *q,
			  const struct inventory *inv, struct why_obstacle *ret,
			  bool *ret_connection)
{
	struct why_owner owners[EVENT_OWNERS_MAX];
	struct bind_owner walked[EVENT_OWNERS_MAX];
	struct bind_table table = { .stable = true, .owners = walked };
	const struct why_owner *first;

	for (size_t i = 0; i < e->n_owners && i < EVENT_OWNERS_MAX; i++) {
		uint64_t cookie = e->owners[i].cookie;

		walked[i] = e->owners[i];
		owners[i] = (struct why_owner){
			.bind = walked[i],
			.flags_known = true,
			.row = cookie ? inventory_by_cookie(inv, cookie) : NULL,
		};
		table.n_owners++;
	}
	first = choose(q, &table, owners, table.n_owners);
	if (!first)
		return false;
	*ret = (struct why_obstacle){ .state = first->bind.state, .kernel = first->bind.kernel };
	name_holder(inv, first->row, ret);
	*ret_connection = first->bind.peer_port;
	return true;
}

static bool find_in_table(const struct event *e, const struct why_question *q,
			  const struct inventory *inv, struct why_obstacle *ret)
{
	const struct socket_row *rows[ROWS_LOOKED_AT];
	struct why_owner owners[ROWS_LOOKED_AT];
	size_t n = inventory_by_port(inv, e->netns, q->port, rows, ROWS_LOOKED_AT), kept = 0;
	const struct why_owner *first;

	for (size_t i = 0; i < n && i < ROWS_LOOKED_AT; i++)
		if (why_same_table(rows[i], q->protocol))
			why_owner_of_row(rows[i], &owners[kept++]);
	first = choose(q, NULL, owners, kept);
	if (!first)
		return false;
	*ret = (struct why_obstacle){ .state = first->row->state };
	name_holder(inv, first->row, ret);
	return true;
}

static bool is_answered_by_program(const struct event *e)
{
	return e->stage == EVENT_STAGE_DENIED || e->stage == EVENT_STAGE_BOUND ||
	       e->stage == EVENT_STAGE_PROTECTED;
}

bool why_in_the_way(const struct event *e, const struct inventory *inv, struct why_obstacle *ret)
{
	struct why_question q = why_question_of_event(e);
	bool connection = false, found;

	if (e->error != EADDRINUSE || e->no_entry || is_answered_by_program(e))
		return false;
	found = find_recorded(e, &q, inv, ret, &connection);
	/* of very many owners only connections were looked at: the table knows the listener */
	if (!found || (e->more_owners && connection))
		found = find_in_table(e, &q, inv, ret) || found;
	return found;
}

bool why_obstacle_is_open(const struct why_obstacle *o)
{
	return !o->holder.pid && !o->kernel && !o->searched && o->state != SOCKET_TIME_WAIT;
}

/* --- … in a line ----------------------------------------------------------------------------- */

static const char *socket_words(enum socket_state state, char *ret, size_t size)
{
	if (state == SOCKET_LISTEN)
		return "a listening socket";
	if (state == SOCKET_BOUND || state == SOCKET_UNKNOWN)
		return "a bound socket";
	snprintf(ret, size, "a connection (%s)", socket_state_name(state));
	return ret;
}

static void describe_holder(const struct why_obstacle *o, char *ret, size_t size)
{
	char escaped[4 * PROCESS_COMM_SIZE], state[48];
	const char *socket = socket_words(o->state, state, sizeof(state));
	bool connection = socket == state;

	if (o->kernel)
		snprintf(ret, size, "; held by the kernel itself");
	else if (o->holder.pid)
		snprintf(ret, size, "; held by %s%s (%d)", connection ? "a connection of " : "",
			 text_escape_terminal(*o->comm ? o->comm : "?", escaped, sizeof(escaped)),
			 o->holder.pid);
	else if (o->state == SOCKET_TIME_WAIT)
		snprintf(ret, size, "; the port has a connection in TIME_WAIT");
	else
		snprintf(ret, size, "; the port has %s%s", socket,
			 o->searched ? " that no process is seen to hold" : "");
}

static void describe_cause(const struct event *e, const struct why_obstacle *obstacle, char *ret,
			   size_t size)
{
	if (e->no_entry)
		snprintf(ret, size, "; answered in the kernel's place (a seccomp filter)");
	else if (e->stage == EVENT_STAGE_PROTECTED)
		snprintf(ret, size, "; the port is protected");
	else if (is_answered_by_program(e))
		snprintf(ret, size, "; answered by a BPF program of its cgroup");
	else if (obstacle)
		describe_holder(obstacle, ret, size);
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

void why_describe_refusal(const struct event *e, const struct why_obstacle *obstacle,
			  unsigned repeated, char ret[static WHY_DETAILS_SIZE])
{
	char address[NET_ADDR_STR_SIZE] = "", made[112] = "", holder[128] = "", again[48] = "";
	char port[RUN_PORT_SIZE];
	bool v6 = e->family == AF_INET6;

	if (event_is_rewritten(e))
		describe_rewriting(e, made, sizeof(made));
	describe_cause(e, obstacle, holder, sizeof(holder));
	if (repeated)
		snprintf(again, sizeof(again), " (and %u times more before)", repeated);
	snprintf(ret, WHY_DETAILS_SIZE, "%s %s%s%s:%s: %s%s%s%s",
		 e->call == EVENT_CALL_LISTEN ? "listen" : "bind", v6 ? "[" : "",
		 net_addr_format(e->family, &e->addr, address), v6 ? "]" : "",
		 run_port_format(e->asked_port, e->port, port), net_errno_name(e->error), made,
		 holder, again);
}

void why_describe_socket(const struct socket_row *row, int64_t now, char ret[WHY_SOCKET_SIZE])
{
	char addr[NET_ADDR_STR_SIZE], at[32];

	snprintf(ret, WHY_SOCKET_SIZE, "%s on %s:%u%s%s",
		 row->state == SOCKET_LISTEN ? "listening" : "bound",
		 net_addr_format(row->family, &row->addr, addr), row->port,
		 row->since ? " since " : "",
		 row->since ? moment_format_log(row->since, now, at) : "");
}
