/* SPDX-License-Identifier: MIT */
/*
 * A table read from the kernel takes the place of the one that events kept.
 *
 * The order matters.  First the pass, which tracks each socket while it holds its file: none ends
 * unseen from there on.  Then sock_diag's list, and what it alone shows is tracked; whether that
 * was about to close already is asked once more (see doubt()).
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/procfs.h"
#include "inventory/internal.h"
#include "inventory/launchers.h"

DEFINE_CLEANUP(struct table *, table_free);

struct resync {
	struct inventory *inv;
	struct table *fresh;
	uint64_t started_ns; /* CLOCK_BOOTTIME */
	int64_t now;
};

/* --- reading --------------------------------------------------------------------------------- */

static void track_socket(const struct kernel_source *kernel, uint64_t cookie)
{
	int r = kernel->track_socket(kernel->user_data, cookie);

	if (r && kernel->not_tracked)
		kernel->not_tracked(NULL, r);
}

static void track_sockets(struct resync *s)
{
	const struct kernel_source *kernel = &s->inv->kernel;
	struct row *row, *next, *old;

	if (!kernel->track_socket)
		return;
	HASH_ITER(hh, s->fresh->by_cookie, row, next) {
		old = table_find(s->inv->table, row->view.cookie);
		/* MPTCP: the pass has seen one of the two, and which one ends is the kernel's
		 * choice */
		if ((!row->tracked || row->alias) && !(old && old->tracked)) {
			track_socket(kernel, row->view.cookie);
			if (row->alias)
				track_socket(kernel, row->alias->cookie);
		}
		row->tracked = true;
	}
}

static int add_listed(struct resync *s, const struct sockdiag_socket *socket, struct row **ret)
{
	struct socket_row facts = {
		.cookie = socket->cookie,
		.inode = socket->inode,
		.netns = s->inv->own_netns,
		.protocol = socket->protocol,
		.family = socket->family,
		.addr = socket->addr,
		.port = socket->port,
		.seen = s->now,
	};

	return table_add_row(s->fresh, &facts, ret);
}

static int merge_listed(const struct sockdiag_socket *socket, void *user_data)
{
	struct resync *s = user_data;
	struct row *row;
	int r;

	if (socket->port == 0 || socket->cookie == 0)
		return 0; /* a UDP socket that was never bound */
	r = table_match(s->fresh, socket->cookie, socket->inode, socket->protocol, &row);
	if (!r && !row)
		r = add_listed(s, socket, &row);
	if (r)
		return r;
	row->confirmed = true;
	row->view.state = socket->state;
	row->view.dev = socket->dev;
	row->view.uid = socket->uid;
	row->view.cgroup_id = socket->cgroup_id;
	if (socket->v6only_known) {
		row->view.v6only = socket->v6only;
		row->view.v6only_known = true;
	}
	return 0;
}

static int list_sockets(struct resync *s)
{
	static const struct sockdiag_query queries[] = {
		{ AF_INET, IPPROTO_TCP, SOCKDIAG_LISTEN | SOCKDIAG_BOUND_INACTIVE, 0 },
		{ AF_INET6, IPPROTO_TCP, SOCKDIAG_LISTEN | SOCKDIAG_BOUND_INACTIVE, 0 },
		{ AF_INET, IPPROTO_UDP, SOCKDIAG_ALL, 0 },
		{ AF_INET6, IPPROTO_UDP, SOCKDIAG_ALL, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(queries); i++) {
		int r = sockdiag_dump(s->inv->diag, &queries[i], merge_listed, s);

		if (r)
			return r;
	}
	return 0;
}

/* Would the list have shown it? */
static bool is_listable(const struct inventory *inv, const struct row *row)
{
	if (row->view.netns != inv->own_netns || row->view.protocol == IPPROTO_UDPLITE)
		return false;
	if (row->view.protocol == IPPROTO_UDP || row->view.state == SOCKET_LISTEN)
		return true;
	return inv->lists_bound_inactive;
}

static void drop_closed(struct resync *s)
{
	struct row *row, *next;

	HASH_ITER(hh, s->fresh->by_cookie, row, next)
		if (!row->confirmed && is_listable(s->inv, row))
			table_remove_row(s->fresh, row);
}

/*
 * Before 6.8 sock_diag cannot list sockets that are bound and not listening: without an iterator
 * only events know them, and those of their holders that live stand for them.
 */
static int keep_unlistable(struct resync *s)
{
	struct row *old, *next, *row;
	struct socket_row facts;
	int r;

	HASH_ITER(hh, s->inv->table->by_cookie, old, next) {
		if (is_listable(s->inv, old) || table_find(s->fresh, old->view.cookie))
			continue;
		facts = old->view;
		facts.binder = (struct process_id){ 0 };
		r = table_add_row(s->fresh, &facts, &row);
		if (r)
			return r;
	}
	return 0;
}

static int read_sockets(struct resync *s)
{
	bool walked = false;
	int r = pass_run(s->inv, s->fresh, true, s->now);

	if (r == -EOPNOTSUPP) {
		walked = true;
		r = keep_unlistable(s);
	}
	if (!r)
		r = list_sockets(s);
	if (r)
		return r;
	drop_closed(s);
	track_sockets(s); /* those that only the list showed: hidden holders, kernel sockets */
	return walked ? pass_run(s->inv, s->fresh, false, s->now) : 0;
}

/* --- what was known before ------------------------------------------------------------------- */

static int carry_process(struct resync *s, const struct proc *old, struct proc **ret)
{
	int r = table_get_proc(s->fresh, &old->process.id, ret);

	if (r)
		return r;
	(*ret)->n_failed = old->n_failed; /* noted already */
	if ((*ret)->described) {
		struct process newest = (*ret)->process;

		(*ret)->process = old->process;
		proc_describe(s->fresh, *ret, &newest);
	} else {
		(*ret)->process = old->process;
	}
	(*ret)->described |= old->described;
	(*ret)->tracked = old->tracked;
	(*ret)->tracked_here = old->tracked_here;
	(*ret)->untracked_once = old->untracked_once;
	return 0;
}

/* Whose death nobody reported, because events were lost or there are none. */
static void check_binder(struct resync *s, struct row *row)
{
	const struct process_id *binder = &row->view.binder;

	if (row->view.binder_fate != BINDER_ALIVE || row_holder(row, binder))
		return;
	if (procfs_alive(binder))
		return;
	row->view.binder_fate = BINDER_GONE;
	/* it may have ended between the pass and the list: is the socket still there now? */
	if (row->view.n_holders == 0)
		table_unsettle(s->fresh, row);
}

/*
 * A socket that only the list shows may be closing: the kernel tells of a close() when it begins,
 * and lists the socket until it is done.  Its CLOSE may be behind us, or lost; settling asks the
 * list again.  What nobody held before either was looked into then.  Without an iterator that is no
 * sign of anything: the holders of most sockets cannot be seen.
 */
static void doubt(struct resync *s, struct row *row, const struct row *old)
{
	if (row->view.n_holders > 0)
		return;
	if (old && old->view.undecided) {
		memcpy(row->leaving, old->leaving, sizeof(row->leaving));
		row->left_ms = old->left_ms;
	} else if (s->inv->no_iterator || (old && old->view.n_holders == 0)) {
		return;
	}
	table_unsettle(s->fresh, row);
}

static int carry_binder(struct resync *s, struct row *row, const struct row *old)
{
	struct proc *was = table_proc(s->inv->table, &old->view.binder), *binder;
	int r;

	if (!was)
		return 0;
	r = carry_process(s, was, &binder);
	if (!r)
		r = row_set_binder(s->fresh, row, binder);
	if (r)
		return r;
	if (was->exited)
		proc_set_exited(s->fresh, binder);
	row->view.binder_sid = old->view.binder_sid;
	row->view.binder_fate = old->view.binder_fate;
	check_binder(s, row);
	return 0;
}

/* Bound before anybody watched: its oldest holder stands for the binder, so that its end counts. */
static int adopt_binder(struct resync *s, struct row *row)
{
	struct proc *oldest;

	if (row->view.binder.pid != 0 || row->view.n_holders == 0)
		return 0;
	oldest = table_proc(s->fresh, &row->view.holders[0].id);
	return oldest ? row_set_binder(s->fresh, row, oldest) : 0;
}

static int carry_rows(struct resync *s)
{
	struct row *row, *next, *old;
	int r = 0;

	HASH_ITER(hh, s->fresh->by_cookie, row, next) {
		old = table_find(s->inv->table, row->view.cookie);
		if (old) {
			row->view.since = old->view.since;
			row->view.seen = old->view.seen;
			if (!row->passed_ms)
				row->passed_ms = old->passed_ms;
			if (!row->view.cgroup_id)
				row->view.cgroup_id = old->view.cgroup_id;
			r = carry_binder(s, row, old);
		}
		doubt(s, row, old);
		if (!r)
			r = adopt_binder(s, row);
		if (r)
			return r;
	}
	return 0;
}

/* Those that lost their last row wait as they did, for the kernel describes them only once. */
static int carry_processes(struct resync *s)
{
	struct proc *old, *next, *proc;
	int r;

	HASH_ITER(hh, s->inv->table->procs, old, next) {
		if (old->exited)
			continue;
		r = carry_process(s, old, &proc);
		if (r)
			return r;
	}
	return 0;
}

static void describe_strangers(struct resync *s)
{
	struct proc *proc, *next;

	HASH_ITER(hh, s->fresh->procs, proc, next)
		if (!proc->described && proc->n_rows > 0)
			proc_describe_from_procfs(s->fresh, proc);
}

/* --- what differs ---------------------------------------------------------------------------- */

static bool same_holders(const struct row *a, const struct row *b)
{
	if (a->view.n_holders != b->view.n_holders)
		return false;
	for (size_t i = 0; i < a->view.n_holders; i++)
		if (!process_id_equal(&a->view.holders[i].id, &b->view.holders[i].id))
			return false;
	return true;
}

static bool same_row(const struct row *a, const struct row *b)
{
	const struct socket_row *x = &a->view, *y = &b->view;

	return x->netns == y->netns && x->port == y->port && x->protocol == y->protocol &&
	       x->family == y->family && x->state == y->state && x->uid == y->uid &&
	       memcmp(&x->addr, &y->addr, sizeof(x->addr)) == 0 && x->complete == y->complete &&
	       process_id_equal(&x->binder, &y->binder) && x->binder_fate == y->binder_fate &&
	       same_holders(a, b);
}

static void note_differences(struct resync *s)
{
	struct row *row, *next, *other;

	changes_deinit(&s->fresh->changes); /* filling a new table is no change */
	HASH_ITER(hh, s->fresh->by_cookie, row, next) {
		other = table_find(s->inv->table, row->view.cookie);
		if (!other || !same_row(row, other))
			table_note(s->fresh, row);
	}
	HASH_ITER(hh, s->inv->table->by_cookie, row, next) {
		other = table_find(s->fresh, row->view.cookie);
		if (!other || other->view.port != row->view.port)
			table_note(s->fresh, row);
	}
}

int inventory_resync(struct inventory *inv, int64_t now, inventory_changed changed, void *user_data)
{
	_cleanup_(table_freep) struct table *fresh = NULL;
	struct resync s = { .inv = inv, .started_ns = clock_ns(CLOCK_BOOTTIME), .now = now };
	struct table *old = inv->table;
	int r = table_new(&inv->kernel, &fresh);

	if (r)
		return r;
	s.fresh = fresh;
	r = read_sockets(&s);
	if (!r)
		r = carry_processes(&s);
	if (!r)
		r = carry_rows(&s);
	if (r)
		return r;
	describe_strangers(&s);
	note_differences(&s);
	table_track_processes(fresh);
	launchers_carry(old, fresh);
	launchers_track(fresh);
	inv->table = fresh;
	inv->read_ns = s.started_ns;
	inv->behind = false;
	inv->resyncs++;
	fresh = old; /* freed at the end */
	return changes_flush(&inv->table->changes, changed, user_data);
}
