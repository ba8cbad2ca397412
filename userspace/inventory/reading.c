/* SPDX-License-Identifier: MIT */
#include "inventory/reading.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "inventory/launchers.h"
#include "inventory/listing.h"
#include "inventory/pass.h"

#define SWEEP_ROWS 64 /* between two looks at the clock */

struct reading {
	struct inventory *inv;
	enum reading_kind kind;
	int (*const *phase)(struct reading *r, bool *ret_more); /* NULL behind the last */
	struct pass pass;
	struct listing listing;
	struct inventory_place swept;
};

/* --- a row at the end ------------------------------------------------------------------------ */

static bool is_gone(const struct reading *r, const struct row *row)
{
	const struct inventory *inv = r->inv;

	if (r->kind != READING_RESYNC || row->read_ns >= inv->reading_ns)
		return false;
	/*
	 * Before 6.8 sock_diag cannot list sockets that are bound and not listening: without an
	 * iterator only events know them, and those of their holders that live stand for them.
	 */
	return !inv->no_iterator || listing_has(inv, row);
}

static void forget_if_gone(struct table *t, const struct process_id *id)
{
	struct proc *proc = table_proc(t, id);

	if (proc && !proc->exited && pass_stage(t, proc) == PROCESS_GONE)
		pass_forget_gone(t, proc);
}

/* Whose end nobody reported, because events were lost or there are none. */
static void forget_gone(struct reading *r, struct row *row)
{
	struct table *t = r->inv->table;

	for (size_t i = row->view.n_holders; i > 0; i--)
		if (row->view.holders[i - 1].pass < r->pass.number)
			forget_if_gone(t, &row->view.holders[i - 1].id);
	if (row->view.binder_fate == BINDER_ALIVE && !row_holder(row, &row->view.binder))
		forget_if_gone(t, &row->view.binder);
}

/* Bound before anybody watched: its oldest holder stands for the binder, so that its end counts. */
static int adopt_binder(struct table *t, struct row *row)
{
	struct proc *oldest;

	if (row->view.binder.pid != 0 || row->view.n_holders == 0)
		return 0;
	oldest = table_proc(t, &row->view.holders[0].id);
	if (!oldest)
		return 0;
	table_note(t, row);
	return row_set_binder(t, row, oldest);
}

static void watch_processes(struct table *t, const struct row *row)
{
	struct proc *proc = table_proc(t, &row->view.binder);

	if (proc && row->view.binder_fate == BINDER_ALIVE)
		proc_track(t, proc);
	for (size_t i = 0; i < row->view.n_holders; i++) {
		proc = table_proc(t, &row->view.holders[i].id);
		proc_track(t, proc);
		if (!proc->described)
			proc_describe_from_procfs(t, proc);
	}
}

static int sweep_row(struct reading *r, struct row *row)
{
	struct table *t = r->inv->table;
	bool was_held = row->view.n_holders > 0, is_resync = r->kind == READING_RESYNC;
	int fault = 0;

	if (is_resync)
		forget_gone(r, row);
	if (is_gone(r, row)) {
		table_remove_row(t, row);
		return 0;
	}
	pass_sweep_row(&r->pass, row, is_resync);
	if (is_resync) {
		listing_track(r->inv, row);
		/* that nobody held it before either was looked into then */
		if (was_held && row->view.n_holders == 0 && !r->inv->no_iterator)
			table_unsettle(t, row);
		fault = adopt_binder(t, row);
	} else if (row->unsettled) {
		row->passes++;
	}
	watch_processes(t, row);
	return fault;
}

/* --- phases ---------------------------------------------------------------------------------- */

static int pass_on(struct reading *r, bool *ret_more)
{
	return pass_next(&r->pass, ret_more);
}

static int list_on(struct reading *r, bool *ret_more)
{
	return listing_next(&r->listing, ret_more);
}

static int sweep_on(struct reading *r, bool *ret_more)
{
	struct row *row = NULL;
	int fault = 0;

	for (int i = 0; !fault && i < SWEEP_ROWS; i++) {
		row = table_next(r->inv->table, &r->swept);
		if (!row)
			break;
		fault = sweep_row(r, row);
	}
	*ret_more = row;
	return fault;
}

typedef int (*const phase)(struct reading *r, bool *ret_more);

/* /proc knows sockets by their inodes alone: the list has to come first there. */
static phase pass_phases[] = { pass_on, sweep_on, NULL };
static phase resync_phases[] = { pass_on, list_on, sweep_on, NULL };
static phase resync_without_iterator[] = { list_on, pass_on, sweep_on, NULL };

int reading_begin(struct inventory *inv, enum reading_kind kind, int64_t now)
{
	bool is_resync = kind == READING_RESYNC;
	struct reading *r = calloc(1, sizeof(*r));
	int fault;

	if (!r)
		return -ENOMEM;
	reading_end(inv);
	inv->reading = r;
	r->inv = inv;
	r->kind = kind;
	r->pass = (struct pass){ .inv = inv, .create = is_resync, .now = now };
	r->listing = (struct listing){ .inv = inv, .now = now };
	if (is_resync) {
		inv->reading_ns = clock_ns(CLOCK_BOOTTIME);
		inv->lost_since = false;
	}
	fault = pass_begin(&r->pass);
	if (fault) {
		reading_end(inv);
		return fault;
	}
	r->phase = !is_resync	      ? pass_phases
		   : inv->no_iterator ? resync_without_iterator
				      : resync_phases;
	return 0;
}

static void complete(struct inventory *inv)
{
	if (inv->reading->kind == READING_RESYNC) {
		inv->read_ns = inv->reading_ns;
		inv->behind = inv->lost_since;
		inv->resyncs++;
	}
	reading_end(inv);
}

int reading_go_on(struct inventory *inv, uint64_t until_ns)
{
	struct reading *r = inv->reading;
	int fault = 0;

	while (!fault && *r->phase) {
		bool more = false;

		fault = (*r->phase)(r, &more);
		r->phase += !more;
		if (clock_ns(CLOCK_MONOTONIC) >= until_ns)
			break;
	}
	launchers_track(inv->table);
	if (fault)
		reading_end(inv);
	else if (!*r->phase)
		complete(inv);
	return fault;
}

void reading_end(struct inventory *inv)
{
	if (!inv->reading)
		return;
	pass_deinit(&inv->reading->pass);
	listing_deinit(&inv->reading->listing);
	free(TAKE_PTR(inv->reading));
}

/* --- for the rooms above --------------------------------------------------------------------- */

int inventory_resync_begin(struct inventory *inv, int64_t now)
{
	return reading_begin(inv, READING_RESYNC, now);
}

bool inventory_is_resyncing(const struct inventory *inv)
{
	return inv->reading && inv->reading->kind == READING_RESYNC;
}

int inventory_resync_go_on(struct inventory *inv, uint64_t until_ns, inventory_changed changed,
			   void *user_data)
{
	int r = reading_go_on(inv, until_ns);
	int flushed = changes_flush(&inv->table->changes, changed, user_data);

	return r ? r : flushed;
}

int inventory_resync(struct inventory *inv, int64_t now, inventory_changed changed, void *user_data)
{
	int r = inventory_resync_begin(inv, now);

	return r ? r : inventory_resync_go_on(inv, UINT64_MAX, changed, user_data);
}
