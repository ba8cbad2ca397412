/* SPDX-License-Identifier: MIT */
/* Reading the holders anew: of every process in one pass, or of one process. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/procfs.h"
#include "bpf/abi.h"
#include "inventory/holders_pass.h"
#include "inventory/holders_proc.h"
#include "inventory/internal.h"
#include "inventory/launchers.h"

struct pass {
	struct inventory *inv;
	struct table *table;
	bool create;
	int64_t now;
	struct process process; /* the newest description, until its first holder takes it */
	bool has_process;
};

/* --- what was found -------------------------------------------------------------------------- */

static int found_fd(struct table *t, struct row *row, struct proc *proc, int fd, bool private)
{
	struct holder *holder;
	int r = row_add_holder(t, row, proc, &holder);

	if (r)
		return r;
	if (holder->n_fds == 0) {
		if (holder->fd_count != HOLDER_FDS_FORGOTTEN)
			table_note(t, row); /* new, or a candidate until now */
		holder->fd_count = 0;
		holder->private_only = true;
	}
	holder->private_only = holder->private_only && private;
	row_add_fd(row, holder, fd);
	return 0;
}

/*
 * Has it ended, and will the kernel side's EXIT say so?  What happened before that end is in the
 * ring as well, ahead of it, and a refusal there asks who held the socket: so it stays a holder,
 * without descriptors, until it is told.  Of those that only we had tracked nothing may come.
 */
static bool end_is_yet_to_be_told(const struct table *t, struct proc *proc)
{
	if (!proc->tracked || proc->tracked_here || proc->exited)
		return false;
	/* once, however many sockets it may hold */
	if (proc->asked_pass != t->pass)
		proc->has_ended = table_stage(t, &proc->process.id) != PROCESS_RUNS;
	proc->asked_pass = t->pass;
	return proc->has_ended;
}

static void drop_holder(struct table *t, struct row *row, struct proc *proc)
{
	row_drop_holder(t, row, proc);
	if (proc->n_rows == 0)
		proc_untrack(t, proc);
}

/* --- the iterator ---------------------------------------------------------------------------- */

static bool owns_port(const struct pass_holder *h)
{
	if (h->port == 0)
		return false;
	if (h->protocol == IPPROTO_TCP || h->protocol == NET_PROTOCOL_MPTCP)
		return h->state == SOCKET_LISTEN || h->state == SOCKET_BOUND;
	return h->protocol == IPPROTO_UDP || h->protocol == IPPROTO_UDPLITE;
}

static int create_row(struct pass *pass, const struct pass_holder *h, struct row **ret)
{
	struct socket_row facts = {
		.cookie = h->cookie,
		.inode = h->inode,
		.netns = h->netns,
		.protocol = h->protocol,
		.family = h->family,
		.state = h->state,
		.addr = h->addr,
		.port = h->port,
		.v6only = h->v6only,
		.v6only_known = true,
		.dev = h->dev,
		.uid = h->sk_uid,
		.seen = pass->now,
	};
	int r = table_add_row(pass->table, &facts, ret);

	if (!r)
		(*ret)->tracked = true; /* by the iterator, which holds its file meanwhile */
	return r;
}

static int row_of_holder(struct pass *pass, const struct pass_holder *h, struct row **ret)
{
	int r;

	if (!pass->create) {
		*ret = table_find_socket(pass->table, h->cookie, h->inode);
		return 0;
	}
	*ret = NULL;
	if (!owns_port(h))
		return 0;
	r = table_match(pass->table, h->cookie, h->inode, h->protocol, ret);
	return r || *ret ? r : create_row(pass, h, ret);
}

static void describe_holder(struct pass *pass, const struct pass_holder *h, struct proc *proc)
{
	if (pass->has_process && process_id_equal(&pass->process.id, &h->id)) {
		proc_describe(pass->table, proc, &pass->process);
		pass->has_process = false;
	} else if (!proc->described) {
		proc->process.uid = h->uid;
		proc->process.cgroup_id = h->cgroup_id;
		memcpy(proc->process.comm, h->comm, sizeof(h->comm));
	}
}

/* An exit is reported before the descriptors are closed.  The living table knows. */
static bool has_exited(const struct pass *pass, const struct process_id *id)
{
	const struct proc *proc = table_proc(pass->inv->table, id);

	return proc && proc->exited;
}

static int visit_record(const struct pass_record *record, void *user_data)
{
	const struct pass_holder *h = &record->holder;
	struct pass *pass = user_data;
	struct proc *proc;
	struct row *row;
	int r;

	if (record->kind == PASS_PROCESS) {
		pass->process = record->process;
		pass->has_process = true;
		return 0;
	}
	r = row_of_holder(pass, h, &row);
	if (r || !row)
		return r;
	if (has_exited(pass, &h->id))
		return 0;
	r = table_get_proc(pass->table, &h->id, &proc);
	if (r)
		return r;
	describe_holder(pass, h, proc);
	row->file_refs = h->file_refs;
	return found_fd(pass->table, row, proc, h->fd, h->private_table);
}

/* 0, -EOPNOTSUPP without an iterator. */
static int run_iterator(struct inventory *inv, struct pass *pass)
{
	_cleanup_close_ int fd = -1;

	if (inv->no_iterator)
		return -EOPNOTSUPP;
	fd = inv->kernel.open_holder_pass(inv->kernel.user_data);
	if (fd == -EOPNOTSUPP)
		inv->no_iterator = true;
	if (fd < 0)
		return fd;
	return holders_pass_read(fd, visit_record, pass);
}

/* --- /proc ----------------------------------------------------------------------------------- */

static int visit_link(const struct process_id *id, int fd, uint64_t inode, void *user_data)
{
	struct pass *pass = user_data;
	struct row *row = table_find_inode(pass->table, inode);
	struct proc *proc;
	int r;

	if (!row || has_exited(pass, id))
		return 0;
	r = table_get_proc(pass->table, id, &proc);
	if (r)
		return r;
	if (!proc->described)
		proc_describe_from_procfs(pass->table, proc);
	return found_fd(pass->table, row, proc, fd, false);
}

static int visit_nothing(const struct process_id *id, int fd, uint64_t inode, void *user_data)
{
	return 0;
}

/* Unreadable descriptors prove nothing: such a holder stays until it ends. */
static bool is_hidden(const struct process_id *id)
{
	int r = holders_proc_look(id, visit_nothing, NULL);

	return (r == -EACCES || r == -EPERM) && procfs_alive(id);
}

/* --- a full pass ----------------------------------------------------------------------------- */

static void sweep_row(struct table *t, struct row *row, bool hidden_stay)
{
	uint32_t found;

	for (size_t i = row->view.n_holders; i > 0; i--) {
		struct holder *holder = &row->view.holders[i - 1];
		struct proc *proc = table_proc(t, &holder->id);

		if (holder->n_fds > 0)
			continue;
		holder->fd_count = 0;
		if ((hidden_stay && is_hidden(&holder->id)) || end_is_yet_to_be_told(t, proc))
			continue;
		drop_holder(t, row, proc);
	}
	found = row_found_fds(row, NULL);
	row->unexplained = row->file_refs > found ? row->file_refs - found : 0;
	row_count_refs(t, row);
	row->fruitless = row_is_settled(row) ? 0 : row->fruitless + (row->fruitless < UINT8_MAX);
}

int pass_run(struct inventory *inv, struct table *t, bool create, int64_t now)
{
	struct pass pass = { .inv = inv, .table = t, .create = create, .now = now };
	bool by_proc = false;
	struct row *row, *next;
	uint64_t now_ms;
	int r;

	t->pass++;
	HASH_ITER(hh, t->by_cookie, row, next) {
		row->referenced = 0;
		for (size_t i = 0; i < row->view.n_holders; i++)
			row_forget_fds(row, &row->view.holders[i]);
	}
	r = run_iterator(inv, &pass);
	if (r == -EOPNOTSUPP && !create) {
		by_proc = true;
		r = holders_proc_walk(visit_link, &pass);
	}
	if (r)
		return r;
	now_ms = clock_ms(CLOCK_MONOTONIC);
	HASH_ITER(hh, t->by_cookie, row, next) {
		sweep_row(t, row, by_proc);
		row->passed_ms = now_ms; /* one pass serves every port, settled by it or not */
	}
	/* A resync tracks when its new table is whole and knows who is tracked already. */
	if (t == inv->table) {
		table_track_processes(t);
		launchers_track(t);
	}
	return 0;
}

/* --- one process ----------------------------------------------------------------------------- */

static void forget_fds_of(struct proc *proc, struct row *row)
{
	struct holder *holder = row_holder(row, &proc->process.id);

	if (holder)
		row_forget_fds(row, holder);
}

static void forget_all_fds(struct proc *proc)
{
	for (size_t i = 0; i < proc->n_rows; i++)
		forget_fds_of(proc, proc->rows[i]);
}

/* Of what a look did not get to, the descriptors that were known stay. */
static void forget_looked_at(struct table *t, struct proc *proc, const struct abi_look *look)
{
	for (uint32_t i = 0; look->more && i < look->n_fds; i++) {
		struct row *row = table_find_socket(t, look->fds[i].cookie, look->fds[i].inode);

		if (row)
			forget_fds_of(proc, row);
	}
	if (!look->more)
		forget_all_fds(proc);
}

static int apply_look(struct table *t, struct proc *proc, const struct abi_look *look)
{
	uint32_t n = look->n_fds < ABI_LOOK_FDS_MAX ? look->n_fds : ABI_LOOK_FDS_MAX;
	int r;

	for (uint32_t i = 0; i < n; i++) {
		struct row *row = table_find_socket(t, look->fds[i].cookie, look->fds[i].inode);

		if (!row)
			continue;
		row->file_refs = look->fds[i].file_refs;
		row->referenced = 0;
		r = found_fd(t, row, proc, (int)look->fds[i].fd,
			     look->fds[i].table == ABI_FILE_REF_THREAD_FD);
		if (r)
			return r;
	}
	return 0;
}

/* 0 with *ret_all false when not every socket of it could be told; -ESRCH; -EACCES. */
static int ask(struct inventory *inv, struct proc *proc, bool *ret_all)
{
	const uint64_t ns_per_tick = NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK);
	struct abi_look look = { .pid = (uint32_t)proc->process.id.pid };
	struct pass pass = { .inv = inv, .table = inv->table };
	int r = -EOPNOTSUPP;

	*ret_all = true;
	if (!inv->no_look)
		r = inv->kernel.look(inv->kernel.user_data, &look);
	if (r == -EOPNOTSUPP) {
		inv->no_look = true;
		forget_all_fds(proc);
		return holders_proc_look(&proc->process.id, visit_link, &pass);
	}
	if (!r)
		r = look.result;
	if (!r && look.start_ns / ns_per_tick != proc->process.id.start_ticks)
		r = -ESRCH;
	if (r) {
		forget_all_fds(proc);
		return r;
	}
	*ret_all = !look.more;
	forget_looked_at(inv->table, proc, &look);
	return apply_look(inv->table, proc, &look);
}

void pass_forget_gone(struct table *t, struct proc *proc)
{
	for (size_t i = proc->n_rows; i > 0; i--) {
		struct row *row = proc->rows[i - 1];

		if (process_id_equal(&row->view.binder, &proc->process.id) &&
		    row->view.binder_fate == BINDER_ALIVE) {
			row->view.binder_fate = BINDER_GONE;
			table_note(t, row);
		}
		row_drop_holder(t, row, proc);
		if (!row->unsettled && !row_is_settled(row))
			table_unsettle(t, row);
	}
	proc_set_exited(t, proc);
}

static void sweep_process(struct table *t, struct proc *proc, bool all)
{
	for (size_t i = proc->n_rows; i > 0; i--) {
		struct row *row = proc->rows[i - 1];
		struct holder *holder = row_holder(row, &proc->process.id);

		if (holder && holder->n_fds == 0) {
			holder->fd_count = 0;
			if (all)
				row_drop_holder(t, row, proc);
		}
		row_count_refs(t, row);
		if (!row->unsettled && !row_is_settled(row))
			table_unsettle(t, row);
	}
	if (proc->n_rows == 0)
		proc_untrack(t, proc);
}

/* The look found nothing of what it is said to hold. */
static bool lost_all(const struct proc *proc)
{
	for (size_t i = 0; i < proc->n_rows; i++) {
		const struct holder *holder = row_holder(proc->rows[i], &proc->process.id);

		if (holder && holder->n_fds)
			return false;
	}
	return true;
}

int pass_look(struct inventory *inv, struct proc *proc)
{
	struct table *t = inv->table;
	bool all;
	int r;

	t->pass++;
	proc_unwant_look(t, proc);
	r = ask(inv, proc, &all);
	proc->looked_turn = inv->turn;
	/* whom one may not look at stays a holder that was not looked at */
	if (r && r != -ESRCH && r != -EACCES && r != -EPERM)
		return r;
	if (r == -ESRCH && !end_is_yet_to_be_told(t, proc))
		pass_forget_gone(t, proc);
	else
		sweep_process(t, proc,
			      !r && all && !(lost_all(proc) && end_is_yet_to_be_told(t, proc)));
	return 0;
}
