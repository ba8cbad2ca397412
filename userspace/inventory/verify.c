/* SPDX-License-Identifier: MIT */
/* Who holds a port, for a question: its holders are looked at, and where that is not enough those
 * of all processes. */
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "inventory/listing.h"
#include "inventory/reading.h"

#define VERIFY_LOOKS_MAX	64 /* more holders than that: one pass is cheaper */
#define FRUITLESS_DOUBLINGS_MAX 4  /* 4 s: see may_pass() */
/* What is left of a search then goes on behind the answer, but for who waits for it. */
#define SEARCH_AT_ONCE_NS (20 * NS_PER_MS)

static bool is_in(const struct row *row, uint32_t netns)
{
	return netns == 0 || row->view.netns == netns;
}

/* Have its holders answered to the re-check in this turn? */
static bool has_answered(const struct inventory *inv, const struct row *row)
{
	return row->asked_turn == inv->turn && row->answered;
}

static void want_stale_holders(struct inventory *inv, struct row *row)
{
	for (size_t i = 0; i < row->view.n_holders; i++) {
		struct proc *proc = table_proc(inv->table, &row->view.holders[i].id);

		if (proc && proc->looked_turn != inv->turn)
			proc_want_look(inv->table, proc);
	}
}

/*
 * An inheritor whose parent has exited with success may be about to become a daemon: it then calls
 * setsid(), for which there is no event, so its session is read again.
 */
static void describe_inheritors(struct inventory *inv, const struct row *row)
{
	if (row->view.binder_fate != BINDER_EXITED_WELL)
		return;
	for (size_t i = 0; i < row->view.n_holders; i++) {
		struct proc *inheritor = table_proc(inv->table, &row->view.holders[i].id);

		if (inheritor && inheritor->process.sid != inheritor->process.id.pid &&
		    (!row->view.binder_sid || inheritor->process.sid == row->view.binder_sid))
			proc_describe_from_procfs(inv->table, inheritor);
	}
}

/* Every holder of the port that did not answer is looked at; false: there are too many for that. */
static bool want_port(struct inventory *inv, uint32_t netns, uint16_t port)
{
	struct row *row, *root = inv->table->by_port[port];
	size_t n = 0;

	PORT_ROWS_FOREACH(root, row)
	{
		if (is_in(row, netns) && !has_answered(inv, row))
			n += row->view.n_holders;
	}
	if (n > VERIFY_LOOKS_MAX)
		return false;
	PORT_ROWS_FOREACH(root, row)
	{
		if (!is_in(row, netns))
			continue;
		if (!has_answered(inv, row))
			want_stale_holders(inv, row);
		describe_inheritors(inv, row);
	}
	return true;
}

/*
 * Who holds the socket cannot be seen (hidden, in flight, the kernel's own), or has just got it in
 * a way that no event tells.  The question about this port searches; one about all ports, which
 * such a socket alone would make a hundred times slower, does so less and less often.
 */
static bool may_pass(const struct inventory *inv, const struct row *row, uint64_t now_ms)
{
	unsigned doublings = row->fruitless < FRUITLESS_DOUBLINGS_MAX ? row->fruitless
								      : FRUITLESS_DOUBLINGS_MAX;
	uint64_t interval_ms = PASS_MIN_MS;

	if (inv->listing_turn == inv->turn)
		interval_ms <<= doublings;
	return !row->passed_ms || now_ms - row->passed_ms >= interval_ms;
}

static bool port_needs_pass(const struct inventory *inv, uint32_t netns, uint16_t port)
{
	uint64_t now_ms = clock_ms(CLOCK_MONOTONIC);
	struct row *row;

	PORT_ROWS_FOREACH(inv->table->by_port[port], row)
	{
		if (is_in(row, netns) && !row_is_settled(row) && may_pass(inv, row, now_ms))
			return true;
	}
	return false;
}

/* Of the own namespace, and the table says that nobody holds it. */
static bool is_in_doubt(const struct inventory *inv, const struct row *row)
{
	return row->view.netns == inv->own_netns && !row->view.n_holders;
}

static int confirm(const struct sockdiag_socket *socket, void *user_data)
{
	struct row *row = table_find(user_data, socket->cookie);

	if (row)
		row->confirmed = true;
	return 0;
}

/* Reads the kernel's list of one family and protocol, where a row of that kind is in doubt. */
static int confirm_kind(struct inventory *inv, const struct sockdiag_query *query)
{
	struct row *row;
	bool any = false;

	PORT_ROWS_FOREACH(inv->table->by_port[query->port], row)
	{
		if (!is_in_doubt(inv, row) || row->view.family != query->family ||
		    listing_protocol(row) != query->protocol)
			continue;
		row->confirmed = !listing_has(inv, row);
		any = true;
	}
	return any ? sockdiag_dump(inv->diag, query, confirm, inv->table) : 0;
}

static void drop_unconfirmed(struct inventory *inv, uint16_t port)
{
	struct row **root = &inv->table->by_port[port], *row = port_rows_after(*root, 0);

	while (row) {
		uint64_t cookie = row->view.cookie;

		if (is_in_doubt(inv, row) && !row->confirmed)
			table_remove_row(inv->table, row);
		row = port_rows_after(*root, cookie);
	}
}

/*
 * Drops sockets that have no known holder and that the kernel does not list: no event said that
 * they were closed.  Where other processes cannot be seen that would be most of them, and each
 * resync asks anyway.
 */
static int drop_gone(struct inventory *inv, uint32_t netns, uint16_t port)
{
	static const struct sockdiag_query kinds[] = {
		{ AF_INET, IPPROTO_TCP, SOCKDIAG_ALL, 0 },
		{ AF_INET6, IPPROTO_TCP, SOCKDIAG_ALL, 0 },
		{ AF_INET, IPPROTO_UDP, SOCKDIAG_ALL, 0 },
		{ AF_INET6, IPPROTO_UDP, SOCKDIAG_ALL, 0 },
	};

	if (inv->no_iterator || (netns && netns != inv->own_netns))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct sockdiag_query query = kinds[i];
		int r;

		query.port = port;
		r = confirm_kind(inv, &query);
		if (r)
			return r;
	}
	drop_unconfirmed(inv, port);
	return 0;
}

void inventory_refresh(struct inventory *inv)
{
	inv->turn++;
}

int inventory_look_at_port(struct inventory *inv, uint32_t netns, uint16_t port)
{
	unsigned budget = LOOKS_MAX + VERIFY_LOOKS_MAX;
	int r = recheck_ports(inv, netns, &port, 1); /* most only have to be asked */

	if (r)
		return r;
	return want_port(inv, netns, port) ? looks_run(inv, &budget, false) : 0;
}

/* 1 when somebody may hold the port whom only a search among all processes finds; 0, negative
 * errno. */
static int look_and_doubt(struct inventory *inv, uint32_t netns, uint16_t port)
{
	int r = inventory_look_at_port(inv, netns, port);

	if (r || !port_needs_pass(inv, netns, port))
		return r;
	r = drop_gone(inv, netns, port);
	return r ? r : port_needs_pass(inv, netns, port);
}

int inventory_verify_port(struct inventory *inv, uint32_t netns, uint16_t port)
{
	int r = look_and_doubt(inv, netns, port);
	uint64_t until_ns = UINT64_MAX;

	if (r <= 0 || inv->reading)
		return r < 0 ? r : 0;
	r = reading_begin(inv, READING_PASS, 0);
	if (inv->search_begun)
		until_ns = clock_ns(CLOCK_MONOTONIC) + SEARCH_AT_ONCE_NS;
	r = r ?: reading_go_on(inv, until_ns);
	if (inv->reading)
		inv->search_begun(inv->user_data);
	return r;
}

/* As far as the table knows: nobody is looked at. */
static bool any_needs_pass(const struct inventory *inv)
{
	uint64_t now_ms = clock_ms(CLOCK_MONOTONIC);
	const struct row *row, *next;
	bool all;

	HASH_ITER(hh, inv->table->by_cookie, row, next) {
		row_found_fds(row, &all);
		if (all && !row_is_settled(row) && may_pass(inv, row, now_ms))
			return true;
	}
	return false;
}

int inventory_verify_in_parts(struct inventory *inv, uint16_t port, uint64_t until_ns,
			      bool *ret_more)
{
	int r = 0;

	if (!inv->reading && port) {
		r = look_and_doubt(inv, 0, port);
	} else if (!inv->reading && !inv->no_iterator) {
		inv->listing_turn = inv->turn;
		r = any_needs_pass(inv);
	}
	if (r > 0)
		r = reading_begin(inv, READING_PASS, 0);
	if (r >= 0 && inv->reading && !inventory_is_resyncing(inv))
		r = reading_go_on(inv, until_ns);
	*ret_more = inv->reading && (port || !inventory_is_resyncing(inv));
	return r;
}

void inventory_set_search_begun(struct inventory *inv, void (*search_begun)(void *user_data),
				void *user_data)
{
	inv->search_begun = search_begun;
	inv->user_data = user_data;
}
