/* SPDX-License-Identifier: MIT */
/* What one row knows of itself: its holders by age, their descriptors, who left it. */
#include <string.h>

#include "inventory/table.h"

void table_note(struct table *t, const struct row *row)
{
	changes_add(&t->changes, row->view.netns, row->view.port);
}

/* --- holders by age -------------------------------------------------------------------------- */

static bool is_older(const struct process_id *a, const struct process_id *b)
{
	if (a->start_ticks != b->start_ticks)
		return a->start_ticks < b->start_ticks;
	return a->pid < b->pid;
}

size_t row_place_of_holder(const struct row *row, const struct process_id *id)
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
	size_t at = row_place_of_holder(row, id);

	if (at == row->view.n_holders || !process_id_equal(&row->view.holders[at].id, id))
		return NULL;
	return &row->view.holders[at];
}

void row_note_leaving(struct row *row, const struct process_id *id, uint64_t now_ms)
{
	memmove(row->leaving + 1, row->leaving, sizeof(row->leaving) - sizeof(*row->leaving));
	row->leaving[0] = *id;
	row->left_ms = now_ms;
}

/* --- descriptors ----------------------------------------------------------------------------- */

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

	complete = all && row->file_refs > 0 && found + row->referenced == row->file_refs;
	if (complete == row->view.complete)
		return;
	row->view.complete = complete;
	table_note(t, row);
}
