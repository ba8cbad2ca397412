/* SPDX-License-Identifier: MIT */
/* The holders of a row: edits of its array, kept in step with the processes' links. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "inventory/table.h"

#define HOLDERS_FIRST 2 /* most sockets have one holder; a parent and a child fit */

static bool is_older(const struct process_id *a, const struct process_id *b)
{
	if (a->start_ticks != b->start_ticks)
		return a->start_ticks < b->start_ticks;
	return a->pid < b->pid;
}

struct holder *row_holder(const struct row *row, const struct process_id *id)
{
	for (size_t i = 0; i < row->view.n_holders; i++)
		if (process_id_equal(&row->view.holders[i].id, id))
			return &row->view.holders[i];
	return NULL;
}

static int reserve_holder(struct row *row)
{
	size_t size = row->holders_size ? 2 * row->holders_size : HOLDERS_FIRST;
	struct holder *holders;

	if (row->view.n_holders < row->holders_size)
		return 0;
	holders = reallocarray(row->view.holders, size, sizeof(*holders));
	if (!holders)
		return -ENOMEM;
	row->view.holders = holders;
	row->holders_size = size;
	return 0;
}

int row_add_holder(struct table *t, struct row *row, struct proc *proc, struct holder **ret)
{
	struct holder *holder = row_holder(row, &proc->process.id);
	size_t at = row->view.n_holders;
	int r;

	if (!holder) {
		r = reserve_holder(row);
		if (!r && !process_id_equal(&row->view.binder, &proc->process.id))
			r = proc_link(t, proc, row);
		if (r)
			return r;
		/* Children come after their parents: mostly the place is at the end. */
		while (at > 0 && is_older(&proc->process.id, &row->view.holders[at - 1].id))
			at--;
		holder = &row->view.holders[at];
		memmove(holder + 1, holder, (row->view.n_holders - at) * sizeof(*holder));
		*holder = (struct holder){ .id = proc->process.id };
		row->view.n_holders++;
		row->view.complete = false;
		row->view.undecided = false;
		row->view.leaving = (struct process_id){ 0 };
	}
	if (ret)
		*ret = holder;
	return 0;
}

void row_drop_holder(struct table *t, struct row *row, struct proc *proc)
{
	struct holder *holder = row_holder(row, &proc->process.id);
	size_t at;

	if (!holder)
		return;
	at = (size_t)(holder - row->view.holders);
	row->view.n_holders--;
	memmove(holder, holder + 1, (row->view.n_holders - at) * sizeof(*holder));
	if (!process_id_equal(&row->view.binder, &proc->process.id))
		proc_unlink(t, proc, row);
	row->view.complete = false;
	row->view.undecided = row->unsettled && row->view.n_holders == 0;
	table_note(t, row);
}

int row_set_binder(struct table *t, struct row *row, struct proc *proc)
{
	struct proc *old = table_proc(t, &row->view.binder);
	int r = 0;

	if (old != proc && !row_holder(row, &proc->process.id))
		r = proc_link(t, proc, row);
	if (r)
		return r;
	row->view.binder = proc->process.id;
	row->view.binder_sid = proc->process.sid;
	row->view.binder_fate = BINDER_ALIVE;
	if (old && old != proc && !row_holder(row, &old->process.id))
		proc_unlink(t, old, row);
	return 0;
}

void holder_add_fd(struct holder *holder, int fd)
{
	if (holder->n_fds < INVENTORY_HOLDER_FDS)
		holder->fds[holder->n_fds++] = fd;
	if (holder->fd_count < UINT16_MAX)
		holder->fd_count++;
}

uint32_t row_found_fds(const struct row *row, bool *ret_all)
{
	uint32_t found = 0;
	bool all = true;

	for (size_t i = 0; i < row->view.n_holders; i++) {
		if (row->view.holders[i].n_fds > 0)
			found += row->view.holders[i].fd_count;
		else
			all = false;
	}
	if (ret_all)
		*ret_all = all;
	return found;
}

bool row_is_settled(const struct row *row)
{
	bool all;
	uint32_t found = row_found_fds(row, &all);

	if (row->view.n_holders == 0 || !all)
		return false;
	if (row->file_refs == 0)
		return true;
	return found <= row->file_refs && row->file_refs - found <= row->unexplained;
}

void row_count_refs(struct table *t, struct row *row)
{
	bool all, complete;
	uint32_t found = row_found_fds(row, &all);

	complete = all && row->file_refs > 0 && found + row->gripped == row->file_refs;
	if (complete == row->view.complete)
		return;
	row->view.complete = complete;
	table_note(t, row);
}
