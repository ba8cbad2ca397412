/* SPDX-License-Identifier: MIT */
#include "inventory/pass.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/procfs.h"
#include "inventory/holders_pass.h"
#include "inventory/holders_proc.h"

/* --- what was found -------------------------------------------------------------------------- */

int pass_found_fd(struct table *t, uint64_t pass, struct row *row, struct proc *proc,
		  const struct found_fd *fd)
{
	struct holder *holder;
	int r = row_add_holder(t, row, proc, &holder);

	if (r)
		return r;
	if (holder->pass > pass && holder->n_fds > 0)
		return 0; /* a look since this pass began has read them all */
	if (holder->pass < pass)
		row_forget_fds(row, holder);
	holder->pass = pass;
	if (holder->n_fds == 0) {
		if (holder->fd_count != HOLDER_FDS_FORGOTTEN)
			table_note(t, row); /* new, or a candidate until now */
		holder->fd_count = 0;
		holder->private_only = true;
	}
	holder->private_only = holder->private_only && fd->is_private;
	row_add_fd(row, holder, fd->number);
	return 0;
}

/* An exit is reported before the descriptors are closed. */
static bool has_exited(const struct table *t, const struct process_id *id)
{
	const struct proc *proc = table_proc(t, id);

	return proc && proc->exited;
}

int pass_found_link(struct table *t, uint64_t pass, struct row *row, const struct process_id *id,
		    int fd)
{
	struct proc *proc;
	int r;

	if (has_exited(t, id))
		return 0;
	r = table_get_proc(t, id, &proc);
	if (r)
		return r;
	if (!proc->described)
		proc_describe_from_procfs(t, proc);
	return pass_found_fd(t, pass, row, proc, &(struct found_fd){ .number = fd });
}

enum process_stage pass_stage(const struct table *t, struct proc *proc)
{
	if (proc->asked_pass != t->pass)
		proc->stage = table_stage(t, &proc->process.id);
	proc->asked_pass = t->pass;
	return proc->stage;
}

bool pass_end_is_yet_to_be_told(const struct table *t, struct proc *proc)
{
	if (!proc->tracked || proc->tracked_here || proc->exited)
		return false;
	return pass_stage(t, proc) != PROCESS_RUNS;
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
	int r = table_add_row(pass->inv->table, &facts, ret);

	if (!r)
		(*ret)->tracked = true; /* by the iterator, which holds its file meanwhile */
	return r;
}

static bool differs(const struct socket_row *row, const struct pass_holder *h)
{
	return row->state != h->state || row->family != h->family || row->uid != h->sk_uid ||
	       memcmp(&row->addr, &h->addr, sizeof(row->addr)) != 0;
}

/* What it shows is newer than any event that was applied. */
static void refresh_row(struct table *t, struct row *row, const struct pass_holder *h)
{
	if (h->cookie != row->view.cookie) {
		/* MPTCP: the subflow has the port, and both listen */
		if (row->view.state != h->state)
			table_note(t, row);
		row->view.state = h->state;
		return;
	}
	if (differs(&row->view, h))
		table_note(t, row);
	row->view.family = h->family;
	row->view.state = h->state;
	row->view.addr = h->addr;
	row->view.v6only = h->v6only;
	row->view.v6only_known = true;
	row->view.dev = h->dev;
	row->view.uid = h->sk_uid;
	table_place_row(t, row, h->netns, h->port);
}

static int row_of_holder(struct pass *pass, const struct pass_holder *h, struct row **ret)
{
	struct table *t = pass->inv->table;
	int r;

	if (!pass->create) {
		*ret = table_find_socket(t, h->cookie, h->inode);
		return 0;
	}
	*ret = NULL;
	if (!owns_port(h))
		return 0;
	r = table_match(t, h->cookie, h->inode, h->protocol, ret);
	if (!r && *ret)
		refresh_row(t, *ret, h);
	else if (!r)
		r = create_row(pass, h, ret);
	if (!r)
		(*ret)->read_ns = pass->inv->reading_ns;
	return r;
}

static void describe_holder(struct pass *pass, const struct pass_holder *h, struct proc *proc)
{
	if (pass->has_process && process_id_equal(&pass->process.id, &h->id)) {
		proc_describe(pass->inv->table, proc, &pass->process);
		pass->has_process = false;
	} else if (!proc->described) {
		proc->process.uid = h->uid;
		proc->process.cgroup_id = h->cgroup_id;
		memcpy(proc->process.comm, h->comm, sizeof(h->comm));
	}
}

static int visit_record(const struct pass_record *record, void *user_data)
{
	const struct pass_holder *h = &record->holder;
	struct pass *pass = user_data;
	struct table *t = pass->inv->table;
	const struct found_fd fd = { .number = h->fd, .is_private = h->private_table };
	struct proc *proc;
	struct row *row;
	int r;

	if (record->kind == PASS_PROCESS) {
		pass->process = record->process;
		pass->has_process = true;
		return 0;
	}
	r = row_of_holder(pass, h, &row);
	if (r || !row || has_exited(t, &h->id))
		return r;
	r = table_get_proc(t, &h->id, &proc);
	if (r)
		return r;
	describe_holder(pass, h, proc);
	row->file_refs = h->file_refs;
	row->referenced = 0;
	return pass_found_fd(t, pass->number, row, proc, &fd);
}

/* 0, -EOPNOTSUPP without an iterator. */
static int open_iterator(struct pass *pass)
{
	struct inventory *inv = pass->inv;
	int fd;

	if (inv->no_iterator)
		return -EOPNOTSUPP;
	fd = inv->kernel.open_holder_pass(inv->kernel.user_data);
	if (fd == -EOPNOTSUPP)
		inv->no_iterator = true;
	return fd < 0 ? fd : holders_pass_open(fd, &pass->stream);
}

/* --- /proc ----------------------------------------------------------------------------------- */

static int visit_link(const struct process_id *id, int fd, uint64_t inode, void *user_data)
{
	struct pass *pass = user_data;
	struct row *row = table_find_inode(pass->inv->table, inode);

	return row ? pass_found_link(pass->inv->table, pass->number, row, id, fd) : 0;
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

int pass_begin(struct pass *pass)
{
	int r;

	pass->number = ++pass->inv->table->pass;
	r = open_iterator(pass);
	if (r != -EOPNOTSUPP)
		return r;
	pass->proc = opendir("/proc");
	return pass->proc ? 0 : -errno;
}

void pass_deinit(struct pass *pass)
{
	holders_pass_close(pass->stream);
	if (pass->proc)
		closedir(pass->proc);
}

int pass_next(struct pass *pass, bool *ret_more)
{
	if (pass->stream)
		return holders_pass_next(pass->stream, visit_record, pass, ret_more);
	return holders_proc_next(pass->proc, visit_link, pass, ret_more);
}

static void drop_holder(struct table *t, struct row *row, struct proc *proc)
{
	row_drop_holder(t, row, proc);
	if (proc->n_rows == 0)
		proc_untrack(t, proc);
}

void pass_sweep_row(struct pass *pass, struct row *row, bool forget)
{
	struct table *t = pass->inv->table;
	uint32_t found;

	for (size_t i = row->view.n_holders; i > 0; i--) {
		struct holder *holder = &row->view.holders[i - 1];
		struct proc *proc = table_proc(t, &holder->id);

		if (holder->pass >= pass->number)
			continue;
		row_forget_fds(row, holder);
		holder->fd_count = 0;
		if (pass->proc && is_hidden(&holder->id))
			continue;
		if (forget || !pass_end_is_yet_to_be_told(t, proc))
			drop_holder(t, row, proc);
	}
	found = row_found_fds(row, NULL);
	if (found == 0)
		row->referenced = 0;
	row->unexplained = row->file_refs > found ? row->file_refs - found : 0;
	row_count_refs(t, row);
	row->fruitless = row_is_settled(row) ? 0 : row->fruitless + (row->fruitless < UINT8_MAX);
	row->passed_ms = clock_ms(CLOCK_MONOTONIC); /* one pass serves every port */
}
