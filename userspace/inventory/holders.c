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

/* Where among the holders it is, or would be: they stand in order of age. */
static size_t place_of(const struct row *row, const struct process_id *id)
{
	size_t from = 0, to = row->view.n_holders;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (is_older(&row->view.holders[middle].id, id))
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

struct holder *row_holder(const struct row *row, const struct process_id *id)
{
	size_t at = place_of(row, id);

	if (at == row->view.n_holders || !process_id_equal(&row->view.holders[at].id, id))
		return NULL;
	return &row->view.holders[at];
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
	uint32_t link = row->binder_link;
	size_t at;
	int r;

	if (!holder) {
		r = reserve_holder(row);
		if (!r && !process_id_equal(&row->view.binder, &proc->process.id))
			r = proc_link(t, proc, row, &link);
		if (r)
			return r;
		at = place_of(row, &proc->process.id);
		holder = &row->view.holders[at];
		memmove(holder + 1, holder, (row->view.n_holders - at) * sizeof(*holder));
		*holder = (struct holder){ .id = proc->process.id, .link = link };
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
	uint32_t link;
	size_t at;

	if (!holder)
		return;
	row_forget_fds(row, holder);
	link = holder->link;
	at = (size_t)(holder - row->view.holders);
	row->view.n_holders--;
	memmove(holder, holder + 1, (row->view.n_holders - at) * sizeof(*holder));
	if (!process_id_equal(&row->view.binder, &proc->process.id))
		proc_unlink(t, proc, link);
	row->view.complete = false;
	row->view.undecided = row->unsettled && row->view.n_holders == 0;
	table_note(t, row);
}

int row_set_binder(struct table *t, struct row *row, struct proc *proc)
{
	struct proc *old = table_proc(t, &row->view.binder);
	const struct holder *holder = row_holder(row, &proc->process.id);
	uint32_t link = holder ? holder->link : row->binder_link;
	int r = 0;

	if (old != proc && !holder)
		r = proc_link(t, proc, row, &link);
	if (r)
		return r;
	if (old && old != proc && !row_holder(row, &old->process.id))
		proc_unlink(t, old, row->binder_link);
	row->view.binder = proc->process.id;
	row->view.binder_sid = proc->process.sid;
	row->view.binder_fate = BINDER_ALIVE;
	row->binder_link = link;
	return 0;
}

/*
 * The sums are kept, not formed when they are needed: of a socket that a thousand workers share
 * each worker's look needs them.
 */
void row_add_fd(struct row *row, struct holder *holder, int fd)
{
	if (holder->n_fds == 0)
		row->n_looked++;
	if (holder->n_fds < INVENTORY_HOLDER_FDS)
		holder->fds[holder->n_fds++] = fd;
	if (holder->fd_count == UINT16_MAX)
		return;
	holder->fd_count++;
	row->found_fds++;
}

void row_forget_fds(struct row *row, struct holder *holder)
{
	if (holder->n_fds == 0)
		return;
	row->n_looked--;
	row->found_fds -= holder->fd_count;
	holder->fd_count = HOLDER_FDS_FORGOTTEN;
	holder->n_fds = 0;
}

uint32_t row_found_fds(const struct row *row, bool *ret_all)
{
	if (ret_all)
		*ret_all = row->n_looked == row->view.n_holders;
	return row->found_fds;
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
