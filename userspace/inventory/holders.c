/* SPDX-License-Identifier: MIT */
/* The holders of a row: edits of its array, kept in step with the processes' links. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "inventory/table.h"

#define HOLDERS_FIRST 2 /* most sockets have one holder; a parent and a child fit */

int row_add_holder(struct table *t, struct row *row, struct proc *proc, struct holder **ret)
{
	struct holder *holder = row_holder(row, &proc->process.id);
	uint32_t link = row->binder_link;
	size_t at;
	int r;

	if (!holder) {
		r = array_reserve(row->view.holders, row->holders_size, row->view.n_holders + 1,
				  HOLDERS_FIRST);
		if (!r && !process_id_equal(&row->view.binder, &proc->process.id))
			r = proc_link(t, proc, row, &link);
		if (r)
			return r;
		at = row_place_of_holder(row, &proc->process.id);
		holder = &row->view.holders[at];
		memmove(holder + 1, holder, (row->view.n_holders - at) * sizeof(*holder));
		*holder = (struct holder){ .id = proc->process.id, .pass = t->pass, .link = link };
		row->view.n_holders++;
		row->view.complete = false;
		row->view.undecided = false;
		row->view.leaving = (struct process_id){ 0 };
		row->view.left = false;
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
