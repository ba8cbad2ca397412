/* SPDX-License-Identifier: MIT */
/*
 * The roll call: whoever is to be looked at, and of whom every descriptor is known by its number,
 * is asked for those alone, all processes in one call.
 *
 * Who answers to all of them is as well known as after a look.  What a look finds beyond that, a
 * descriptor that came by a message or out of another process, is another reference to the
 * socket's file: they are counted here as there, and a count that does not add up unsettles the
 * row.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "bpf/abi.h"
#include "inventory/internal.h"

#define NS_PER_S   1000000000ULL
#define ROLL_FIRST 64 /* entries: 2 kB */

/* Each process's entries stand behind each other, in the order of its rows. */
struct roll {
	struct abi_hold *holds;
	size_t n, size;
	struct proc **procs;
	size_t n_procs, procs_size;
};

static void roll_deinit(struct roll *roll)
{
	free(roll->holds);
	free(roll->procs);
}

static int reserve_proc(struct roll *roll)
{
	size_t size = roll->procs_size ? 2 * roll->procs_size : ROLL_FIRST;
	struct proc **procs;

	if (roll->n_procs < roll->procs_size)
		return 0;
	procs = reallocarray(roll->procs, size, sizeof(struct proc *));
	if (!procs)
		return -ENOMEM;
	roll->procs = procs;
	roll->procs_size = size;
	return 0;
}

static int reserve_holds(struct roll *roll, size_t n)
{
	size_t size = roll->size ? roll->size : ROLL_FIRST;
	struct abi_hold *holds;

	while (size < roll->n + n)
		size *= 2;
	if (size == roll->size)
		return 0;
	holds = reallocarray(roll->holds, size, sizeof(*holds));
	if (!holds)
		return -ENOMEM;
	roll->holds = holds;
	roll->size = size;
	return 0;
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

/* How many entries the process needs; 0 = it cannot be asked so. */
static size_t count_holds(const struct proc *proc)
{
	size_t n = 0;

	for (size_t i = 0; i < proc->n_rows; i++) {
		const struct holder *holder = row_holder(proc->rows[i], &proc->process.id);

		if (holder && !is_known_by_number(holder))
			return 0;
		n += holder ? holder->n_fds : 0;
	}
	return n;
}

static void append_holds(struct roll *roll, const struct proc *proc, const struct row *row)
{
	const struct holder *holder = row_holder(row, &proc->process.id);

	for (size_t i = 0; holder && i < holder->n_fds; i++)
		roll->holds[roll->n++] = (struct abi_hold){
			.cookie = cookie_of_file(row),
			.pid = (uint32_t)proc->process.id.pid,
			.fd = (uint32_t)holder->fds[i],
		};
}

/*
 * Everything that the process holds, or nothing: then it is to be looked at.  It is met once for
 * each of its rows, and its rows are gone through the first time only: a process may have 20,000.
 */
static int enlist(struct inventory *inv, struct roll *roll, struct proc *proc)
{
	size_t n;
	int r;

	if (proc->asked_turn == inv->turn)
		return 0;
	proc->asked_turn = inv->turn;
	n = count_holds(proc);
	if (!n)
		return 0;
	r = reserve_proc(roll);
	if (!r)
		r = reserve_holds(roll, n);
	if (r)
		return r;
	roll->procs[roll->n_procs++] = proc;
	for (size_t i = 0; i < proc->n_rows; i++)
		append_holds(roll, proc, proc->rows[i]);
	return 0;
}

static bool answers(const struct abi_hold *holds, size_t n, const struct process_id *id)
{
	const uint64_t ns_per_tick = NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK);

	for (size_t i = 0; i < n; i++)
		if (!holds[i].file_refs || holds[i].start_ns / ns_per_tick != id->start_ticks)
			return false;
	return true;
}

static void take_references(struct table *t, const struct proc *proc, const struct abi_hold *holds)
{
	for (size_t i = 0; i < proc->n_rows; i++) {
		struct row *row = proc->rows[i];
		const struct holder *holder = row_holder(row, &proc->process.id);

		if (!holder)
			continue;
		row->file_refs = holds[holder->n_fds - 1].file_refs;
		row->gripped = 0;
		holds += holder->n_fds;
		row_count_refs(t, row);
	}
}

/* No reference is left open that it may have made itself: a copy of a descriptor, say. */
static bool explains_all(const struct proc *proc)
{
	for (size_t i = 0; i < proc->n_rows; i++)
		if (row_holder(proc->rows[i], &proc->process.id) && !row_is_settled(proc->rows[i]))
			return false;
	return true;
}

/* Whoever answered to all, and has no more than that, need not be looked at in this turn. */
static void read_answers(struct inventory *inv, struct roll *roll)
{
	const struct abi_hold *holds = roll->holds;
	size_t n_answered = 0;

	for (size_t i = 0; i < roll->n_procs; i++) {
		struct proc *proc = roll->procs[i];
		size_t n = count_holds(proc);

		if (answers(holds, n, &proc->process.id)) {
			take_references(inv->table, proc, holds);
			roll->procs[n_answered++] = proc;
		}
		holds += n;
	}
	for (size_t i = 0; i < n_answered; i++) {
		if (!explains_all(roll->procs[i]))
			continue;
		roll->procs[i]->looked_turn = inv->turn;
		proc_unwant_look(inv->table, roll->procs[i]);
	}
}

static int call(struct inventory *inv, struct roll *roll)
{
	int r;

	if (!roll->n)
		return 0;
	r = inv->source.call_roll(inv->source.user_data, roll->holds, roll->n);
	if (!r)
		read_answers(inv, roll);
	if (r != -EOPNOTSUPP)
		return r;
	inv->no_roll = true;
	return 0;
}

static bool can_be_called(const struct inventory *inv)
{
	return inv->source.call_roll && !inv->no_roll;
}

int roll_call_looks(struct inventory *inv)
{
	_cleanup_(roll_deinit) struct roll roll = { 0 };
	struct proc *proc;
	int r = 0;

	if (!can_be_called(inv))
		return 0;
	for (proc = inv->table->looks; proc && !r; proc = proc->look_next)
		r = enlist(inv, &roll, proc);
	return r ? r : call(inv, &roll);
}

static int enlist_holders(struct inventory *inv, struct roll *roll, const struct row *row)
{
	int r = 0;

	for (size_t i = 0; i < row->view.n_holders && !r; i++) {
		struct proc *proc = table_proc(inv->table, &row->view.holders[i].id);

		if (proc && proc->looked_turn != inv->turn)
			r = enlist(inv, roll, proc);
	}
	return r;
}

int inventory_call_roll(struct inventory *inv,
			bool (*wanted)(const struct socket_row *row, void *user_data),
			void *user_data)
{
	_cleanup_(roll_deinit) struct roll roll = { 0 };
	struct row *row, *next;
	int r;

	inv->listing_turn = inv->turn;
	if (!can_be_called(inv))
		return 0;
	HASH_ITER(hh, inv->table->by_cookie, row, next) {
		if (wanted && !wanted(&row->view, user_data))
			continue;
		r = enlist_holders(inv, &roll, row);
		if (r)
			return r;
	}
	return call(inv, &roll);
}
