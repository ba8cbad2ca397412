/* SPDX-License-Identifier: MIT */
/* One event, one change of the table. */
#include <errno.h>
#include <string.h>
#include <utlist.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "inventory/internal.h"
#include "inventory/launchers.h"

/* What a handler works with. */
struct apply {
	const struct inventory *inv;
	struct table *table;
	const struct event *event;
	int64_t now;
	bool outdated; /* it happened before the socket's row was read; see row_of_event() */
	bool settle;
};

/* --- sockets --------------------------------------------------------------------------------- */

/* Who did it, described by the event alone where its description was lost. */
static int actor_of(struct apply *a, struct proc **ret)
{
	const struct event *e = a->event;
	struct proc *proc;
	int r = table_get_proc(a->table, &e->actor, &proc);

	if (r)
		return r;
	if (!proc->described && !proc_describe_from_procfs(a->table, proc)) {
		proc->process.uid = e->uid;
		memcpy(proc->process.comm, e->comm, sizeof(e->comm));
	}
	if (!proc->process.cgroup_id)
		proc->process.cgroup_id = e->cgroup_id;
	*ret = proc;
	return 0;
}

static int add_row(struct apply *a, struct row **ret)
{
	const struct event *e = a->event;
	struct socket_row facts = {
		.cookie = e->cookie,
		.inode = e->inode,
		.netns = e->netns,
		.protocol = e->protocol,
		.family = e->family,
		.state = SOCKET_BOUND,
		.addr = e->addr,
		.port = e->port,
		.uid = e->uid,
		.cgroup_id = e->cgroup_id,
		.seen = a->now,
	};
	int r = table_add_row(a->table, &facts, ret);

	if (!r)
		(*ret)->tracked = true; /* by the kernel side, at this bind or listen */
	return r;
}

/* Did it happen before the row was read?  One that is younger shows that the socket is there. */
static bool is_outdated(const struct apply *a, struct row *row)
{
	if (a->event->boot_ns < row->read_ns)
		return true;
	if (a->event->boot_ns >= a->inv->reading_ns)
		row->read_ns = a->inv->reading_ns;
	return false;
}

/*
 * The row of a socket that is bound or listens; *ret is NULL for one that is gone.
 *
 * An event may have waited in the ring while the table was read (reading.h).  What it tells is in
 * the table by then, and so is whatever came after it, also where the record of that was lost: to
 * apply it would bring back a socket that is closed, and no CLOSE would ever end it.  It only says
 * who did it.
 */
static int row_of_event(struct apply *a, struct row **ret)
{
	const struct event *e = a->event;
	struct row *row;
	int r = table_match(a->table, e->cookie, e->inode, e->protocol, &row);

	*ret = NULL;
	if (!r && !row && e->boot_ns < a->inv->read_ns)
		return 0;
	if (!r && !row)
		r = add_row(a, &row);
	if (r)
		return r;
	a->outdated = is_outdated(a, row);
	if (e->port && !a->outdated)
		table_place_row(a->table, row, e->netns, e->port);
	if (e->family && !a->outdated) {
		row->view.family = e->family;
		row->view.addr = e->addr;
	}
	row->view.since = a->now;
	table_note(a->table, row);
	*ret = row;
	return 0;
}

/* The actor has a descriptor of it; the first one that is seen with it bound it. */
static int attach_actor(struct apply *a, struct row *row)
{
	struct proc *proc;
	int r;

	if (a->event->actor.pid == 0)
		return 0;
	r = actor_of(a, &proc);
	/* An exit that overtook its bind: the socket's CLOSE is near, or an inheritor is to be
	 * found. */
	if (!r && proc->exited) {
		a->settle = true;
		table_unsettle(a->table, row);
		return 0;
	}
	r = r ?: row_add_holder(a->table, row, proc, NULL);
	if (!r && row->view.binder.pid == 0)
		r = row_set_binder(a->table, row, proc);
	if (r)
		return r;
	/* The kernel side tracks who binds.  If we took that back before, our word may have been
	 * the later one. */
	if (proc->untracked_once)
		proc_track(a->table, proc);
	proc->tracked = true;
	return 0;
}

static int apply_bind(struct apply *a)
{
	struct row *row;
	int r;

	if (!a->event->cookie)
		return 0;
	r = row_of_event(a, &row);
	return r || !row ? r : attach_actor(a, row);
}

static int apply_listen(struct apply *a)
{
	struct row *row;
	int r;

	if (!a->event->cookie)
		return 0;
	r = row_of_event(a, &row);
	if (r || !row)
		return r;
	if (!a->outdated)
		row->view.state = SOCKET_LISTEN;
	return attach_actor(a, row);
}

static int apply_unlisten(struct apply *a)
{
	struct row *row = table_find(a->table, a->event->cookie);

	if (!row || row->view.state != SOCKET_LISTEN || is_outdated(a, row))
		return 0;
	row->view.state = SOCKET_BOUND;
	table_note(a->table, row);
	return 0;
}

/* Whenever it happened: a socket that is being closed may still have been listed. */
static int apply_close(struct apply *a)
{
	struct row *row = table_find(a->table, a->event->cookie);

	/* An MPTCP socket whose own cookie was never told: it shares the inode with its subflow. */
	if (!row && a->event->protocol == NET_PROTOCOL_MPTCP && a->event->inode)
		row = table_find_inode(a->table, a->event->inode);
	if (row)
		table_remove_row(a->table, row);
	return 0;
}

/* --- processes ------------------------------------------------------------------------------- */

static int apply_process(struct apply *a)
{
	struct proc *proc;
	int r = table_get_proc(a->table, &a->event->actor, &proc);

	if (r)
		return r;
	proc_describe(a->table, proc, &a->event->process);
	for (size_t i = 0; i < proc->n_rows; i++)
		table_note(a->table, proc->rows[i]);
	return 0;
}

/* A descriptor table is copied by fork(), but for CLONE_FILES: the look tells. */
static int inherit_rows(struct apply *a, const struct proc *parent, struct proc *child)
{
	bool any = false;
	int r;

	for (size_t i = 0; i < parent->n_rows; i++) {
		if (!row_holder(parent->rows[i], &parent->process.id))
			continue; /* it bound the socket and has given it away */
		r = row_add_holder(a->table, parent->rows[i], child, NULL);
		if (r)
			return r;
		any = true;
	}
	if (!any)
		return 0;
	proc_want_look(a->table, child);
	a->settle = true;
	return 0;
}

/* Nobody asks about these two: neither need be watched. */
static void forget_family(struct apply *a, struct proc *parent)
{
	table_track_id(a->table, &a->event->child, false);
	if (parent)
		proc_untrack(a->table, parent);
}

/*
 * The parent holds no socket that the table follows any more, but it may hold connections that its
 * child inherits: once it is dead, only this tells whose child that was.  Both wait without a row,
 * so the oldest are forgotten.  A parent that forks on and on is a shell, or a build.
 */
static bool is_worth_remembering(const struct proc *parent)
{
	return parent && parent->described && parent->idle_forks < PROC_IDLE_FORKS_MAX;
}

static int apply_fork(struct apply *a)
{
	struct proc *parent = table_proc(a->table, &a->event->actor), *child;
	int r;

	if (a->event->child.pid == 0)
		return -EINVAL;
	if (!parent || (parent->n_rows == 0 && !is_worth_remembering(parent))) {
		forget_family(a, parent);
		return 0;
	}
	r = table_get_proc(a->table, &a->event->child, &child);
	if (r || child->exited)
		return r;
	child->tracked = true; /* the kernel side tracks children of those it tracks */
	proc_inherit(child, parent);
	if (parent->n_rows == 0) {
		child->idle_forks = ++parent->idle_forks;
		return 0;
	}
	r = inherit_rows(a, parent, child);
	if (child->n_rows == 0)
		proc_untrack(a->table, child);
	return r;
}

/* Descriptors with close-on-exec are gone now; which of them had it, only a look tells. */
static int apply_exec(struct apply *a)
{
	struct proc *proc = table_proc(a->table, &a->event->actor);

	if (!proc)
		return 0;
	memcpy(proc->process.comm, a->event->comm, sizeof(proc->process.comm));
	proc->process.exe[0] = '\0';
	proc->process.asked_to_end_at = 0; /* another program, which nobody has asked yet */
	if (proc->n_rows == 0)
		return 0;
	proc_want_look(a->table, proc);
	a->settle = true;
	return 0;
}

static int apply_term(struct apply *a)
{
	struct proc *proc = table_proc(a->table, &a->event->actor);

	if (proc && !proc->process.asked_to_end_at)
		proc->process.asked_to_end_at = a->now;
	return 0;
}

static void leave_row(struct apply *a, struct row *row, struct proc *proc)
{
	bool bound_it = process_id_equal(&row->view.binder, &proc->process.id);

	table_note(a->table, row);
	if (bound_it)
		row->view.binder_fate = a->event->exit_code ? BINDER_EXITED_BADLY
							    : BINDER_EXITED_WELL;
	if (row_holder(row, &proc->process.id))
		row_note_leaving(row, &proc->process.id, clock_ms(CLOCK_MONOTONIC));
	row_drop_holder(a->table, row, proc);
	if (row->view.n_holders == 0) {
		row->view.leaving = proc->process.id;
		row->view.left_status = a->event->exit_code;
		row->view.left = true;
		table_unsettle(a->table, row);
		a->settle = true;
		return;
	}
	if (!bound_it)
		return;
	/* Inheritors: whether they still have it, and in which session they live now, is worth a
	 * look.
	 */
	for (size_t i = 0; i < row->view.n_holders; i++) {
		struct proc *inheritor = table_proc(a->table, &row->view.holders[i].id);

		if (inheritor)
			proc_want_look(a->table, inheritor);
	}
	a->settle = true;
}

static int apply_exit(struct apply *a)
{
	struct proc *proc = table_proc(a->table, &a->event->actor);

	launchers_note_exit(a->table, &a->event->actor, a->event->exit_code, a->now);
	if (!proc)
		return 0;
	for (size_t i = proc->n_rows; i > 0; i--)
		leave_row(a, proc->rows[i - 1], proc);
	proc_set_exited(a->table, proc);
	return 0;
}

static int apply_nothing(struct apply *a)
{
	return 0;
}

static int (*const handlers[])(struct apply *a) = {
	[EVENT_PROCESS] = apply_process, [EVENT_BIND] = apply_bind,
	[EVENT_LISTEN] = apply_listen,	 [EVENT_UNLISTEN] = apply_unlisten,
	[EVENT_CLOSE] = apply_close,	 [EVENT_FAIL] = apply_nothing,
	[EVENT_FORK] = apply_fork,	 [EVENT_EXEC] = apply_exec,
	[EVENT_TERM] = apply_term,	 [EVENT_EXIT] = apply_exit,
	[EVENT_RUN_END] = apply_nothing,
};
_Static_assert(ARRAY_SIZE(handlers) == _EVENT_KIND_MAX, "every kind of event is handled");

int inventory_apply(struct inventory *inv, const struct event *event, int64_t now,
		    inventory_changed changed, void *user_data, bool *ret_settle)
{
	struct apply a = {
		.inv = inv,
		.table = inv->table,
		.event = event,
		.now = now,
	};
	int r, flushed;

	*ret_settle = false;
	if ((unsigned)event->kind >= _EVENT_KIND_MAX || !handlers[event->kind])
		return -EINVAL;
	inventory_refresh(inv);
	r = handlers[event->kind](&a);
	launchers_track(inv->table);
	flushed = changes_flush(&inv->table->changes, changed, user_data);
	*ret_settle = a.settle;
	return r ? r : flushed;
}
