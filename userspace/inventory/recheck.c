/* SPDX-License-Identifier: MIT */
/*
 * The re-check: the holders of a socket whose descriptors are all known by their numbers are asked
 * for those, of all sockets that a question is about in one call.
 *
 * Who answers is as well known as after a look.  What a look finds beyond that, a descriptor that
 * came by a message or out of another process, is another reference to the socket's file: they are
 * counted here as there, and where they do not add up the holders are looked at.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "bpf/abi.h"
#include "inventory/internal.h"

#define RECHECK_FIRST 64 /* entries: 2 kB */

/* Each row's entries stand behind each other, in the order of its holders. */
struct recheck {
	struct abi_hold *holds;
	size_t n, size;
	struct row **rows;
	size_t n_rows, rows_size;
};

static void recheck_deinit(struct recheck *recheck)
{
	free(recheck->holds);
	free(recheck->rows);
}

/* The descriptors of an MPTCP listener are those of the socket above the one that has the port. */
static uint64_t cookie_of_file(const struct row *row)
{
	return row->alias ? row->alias->cookie : row->view.cookie;
}

/* Are all its descriptors in the process's own table, and their numbers known? */
static bool is_known_by_number(const struct holder *holder)
{
	return holder->n_fds > 0 && holder->n_fds == holder->fd_count && !holder->private_only;
}

/* How many entries the row needs; 0 = its holders cannot be asked so, or there are none. */
static size_t count_holds(const struct row *row)
{
	size_t n = 0;

	for (size_t i = 0; i < row->view.n_holders; i++) {
		if (!is_known_by_number(&row->view.holders[i]))
			return 0;
		n += row->view.holders[i].n_fds;
	}
	return n;
}

static void append_holds(struct recheck *recheck, const struct row *row,
			 const struct holder *holder)
{
	for (size_t i = 0; i < holder->n_fds; i++)
		recheck->holds[recheck->n++] = (struct abi_hold){
			.cookie = cookie_of_file(row),
			.pid = (uint32_t)holder->id.pid,
			.fd = (uint32_t)holder->fds[i],
		};
}

/* All who hold it, or nobody: then they are to be looked at. */
static int enlist(struct inventory *inv, struct recheck *recheck, struct row *row)
{
	size_t n;
	int r;

	if (row->asked_turn == inv->turn)
		return 0;
	row->asked_turn = inv->turn;
	row->answered = false;
	n = count_holds(row);
	if (!n)
		return 0;
	r = array_reserve(recheck->rows, recheck->rows_size, recheck->n_rows + 1, RECHECK_FIRST);
	r = r ?: array_reserve(recheck->holds, recheck->size, recheck->n + n, RECHECK_FIRST);
	if (r)
		return r;
	recheck->rows[recheck->n_rows++] = row;
	for (size_t i = 0; i < row->view.n_holders; i++)
		append_holds(recheck, row, &row->view.holders[i]);
	return 0;
}

static bool answers(const struct abi_hold *holds, const struct holder *holder)
{
	const uint64_t ns_per_tick = NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK);

	for (size_t i = 0; i < holder->n_fds; i++)
		if (!holds[i].file_refs ||
		    holds[i].start_ns / ns_per_tick != holder->id.start_ticks)
			return false;
	return true;
}

/* The answers for one row; returns the next row's. */
static const struct abi_hold *read_row(struct table *t, struct row *row,
				       const struct abi_hold *holds)
{
	bool all = true;

	for (size_t i = 0; i < row->view.n_holders; i++) {
		const struct holder *holder = &row->view.holders[i];

		if (answers(holds, holder)) {
			row->file_refs = holds[holder->n_fds - 1].file_refs;
			row->referenced = 0;
		} else {
			all = false;
		}
		holds += holder->n_fds;
	}
	row_count_refs(t, row);
	/* an open reference may be one that a holder made itself: a copy of a descriptor, say */
	row->answered = all && row_is_settled(row);
	return holds;
}

static int call(struct inventory *inv, struct recheck *recheck)
{
	const struct abi_hold *holds = recheck->holds;
	int r;

	if (!recheck->n)
		return 0;
	r = inv->kernel.recheck_descriptors(inv->kernel.user_data, recheck->holds, recheck->n);
	for (size_t i = 0; !r && i < recheck->n_rows; i++)
		holds = read_row(inv->table, recheck->rows[i], holds);
	if (r != -EOPNOTSUPP)
		return r;
	inv->no_recheck = true;
	return 0;
}

static bool can_be_called(const struct inventory *inv)
{
	return inv->kernel.recheck_descriptors && !inv->no_recheck;
}

static int enlist_port(struct inventory *inv, struct recheck *recheck, uint32_t netns,
		       uint16_t port)
{
	struct row *row;
	int r;

	PORT_ROWS_FOREACH(inv->table->by_port[port], row)
	{
		r = !netns || row->view.netns == netns ? enlist(inv, recheck, row) : 0;
		if (r)
			return r;
	}
	return 0;
}

int recheck_ports(struct inventory *inv, uint32_t netns, const uint16_t *ports, size_t n)
{
	_cleanup_(recheck_deinit) struct recheck recheck = { 0 };
	int r = 0;

	if (!can_be_called(inv))
		return 0;
	for (size_t i = 0; i < n && !r; i++)
		r = enlist_port(inv, &recheck, netns, ports[i]);
	return r ? r : call(inv, &recheck);
}

int inventory_recheck_ports(struct inventory *inv, uint32_t netns, const uint16_t *ports, size_t n)
{
	inv->listing_turn = inv->turn;
	return recheck_ports(inv, netns, ports, n);
}

int inventory_recheck(struct inventory *inv, struct inventory_place from, size_t max,
		      bool (*wanted)(const struct socket_row *row, void *user_data),
		      void *user_data)
{
	_cleanup_(recheck_deinit) struct recheck recheck = { 0 };
	struct row *row;
	int r;

	inv->listing_turn = inv->turn;
	if (!can_be_called(inv))
		return 0;
	while (max-- > 0 && (row = table_next(inv->table, &from))) {
		if (wanted && !wanted(&row->view, user_data))
			continue;
		r = enlist(inv, &recheck, row);
		if (r)
			return r;
	}
	return call(inv, &recheck);
}
