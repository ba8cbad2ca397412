/* SPDX-License-Identifier: MIT */
/* Does a table hang together?  Whatever it was told, in whatever order. */
#ifndef TESTS_UNIT_INVENTORY_SOUND_TABLE_H
#define TESTS_UNIT_INVENTORY_SOUND_TABLE_H

#include "inventory/internal.h"

static inline const char *fault_of_holders(const struct socket_row *row)
{
	for (size_t i = 0; i < row->n_holders; i++) {
		if (row->holders[i].fd_count < row->holders[i].n_fds)
			return "a holder has fewer descriptors than are listed";
		if (i > 0 && row->holders[i - 1].id.start_ticks > row->holders[i].id.start_ticks)
			return "holders are not in order of age";
	}
	return NULL;
}

/* The row and the processes that it names know each other's place, and its sums are right. */
static inline const char *fault_of_links(const struct table *t, const struct row *row)
{
	uint32_t found = 0, looked = 0;

	for (size_t i = 0; i < row->view.n_holders; i++) {
		const struct holder *holder = &row->view.holders[i];
		const struct proc *proc = table_proc(t, &holder->id);

		if (!proc || holder->link >= proc->n_rows || proc->rows[holder->link] != row)
			return "a holder does not know the row";
		found += holder->n_fds ? holder->fd_count : 0;
		looked += holder->n_fds > 0;
	}
	if (row->found_fds != found || row->n_looked != looked)
		return "the sums of a row are wrong";
	if (row->view.binder.pid && table_proc(t, &row->view.binder)->rows[row->binder_link] != row)
		return "the binder does not know the row";
	return NULL;
}

/* NULL, or what is wrong. */
static inline const char *table_fault(const struct inventory *inv)
{
	struct inventory_place place = { 0 }, last = { 0 };
	const struct socket_row *row;
	const char *fault = NULL;
	size_t n = 0;

	for (; !fault && (row = inventory_next(inv, &place)); last = place, n++) {
		fault = fault_of_holders(row);
		if (!fault)
			fault = fault_of_links(inv->table, table_find(inv->table, row->cookie));
		if (place.port < last.port ||
		    (place.port == last.port && place.cookie <= last.cookie))
			fault = "rows are not in order";
	}
	if (!fault && n != inventory_count(inv))
		fault = "a row is not on its port";
	return fault;
}

#endif
