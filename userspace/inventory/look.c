/* SPDX-License-Identifier: MIT */
/* Reading the holders of one process anew. */
#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "bpf/abi.h"
#include "inventory/holders_proc.h"
#include "inventory/pass.h"

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
		r = pass_found_fd(
			t, t->pass, row, proc,
			&(struct found_fd){
				.number = (int)look->fds[i].fd,
				.is_private = look->fds[i].table == ABI_FILE_REF_THREAD_FD,
			});
		if (r)
			return r;
	}
	return 0;
}

static int visit_link(const struct process_id *id, int fd, uint64_t inode, void *user_data)
{
	struct table *t = user_data;
	struct row *row = table_find_inode(t, inode);

	return row ? pass_found_link(t, t->pass, row, id, fd) : 0;
}

/* 0 with *ret_all false when not every socket of it could be told; -ESRCH; -EACCES. */
static int ask(struct inventory *inv, struct proc *proc, bool *ret_all)
{
	const uint64_t ns_per_tick = NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK);
	struct abi_look look = { .pid = (uint32_t)proc->process.id.pid };
	int r = -EOPNOTSUPP;

	*ret_all = true;
	if (!inv->no_look)
		r = inv->kernel.look(inv->kernel.user_data, &look);
	if (r == -EOPNOTSUPP) {
		inv->no_look = true;
		forget_all_fds(proc);
		return holders_proc_look(&proc->process.id, visit_link, inv->table);
	}
	r = r ?: look.result;
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

/*
 * Looks at one process now: adds and drops it as a holder, unsettles rows whose references do not
 * add up.  A process that is gone or holds nothing is dropped everywhere and not tracked any more.
 * 0, negative errno.
 */
static int look_at(struct inventory *inv, struct proc *proc)
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
	if (r == -ESRCH && !pass_end_is_yet_to_be_told(t, proc))
		pass_forget_gone(t, proc);
	else
		sweep_process(t, proc,
			      !r && all &&
				      !(lost_all(proc) && pass_end_is_yet_to_be_told(t, proc)));
	return 0;
}

/*
 * `anew`: after a fork or an exit, which may have made a session or a program new.  Who is looked
 * at for a question only is known well enough: reading /proc costs more than the look.
 */
int looks_run(struct inventory *inv, unsigned *budget, bool anew)
{
	while (inv->table->looks && *budget > 0) {
		struct proc *proc = inv->table->looks;
		int r = look_at(inv, proc);

		if (r)
			return r;
		--*budget;
		if ((anew || !proc->described) && !proc->exited && proc->n_rows > 0)
			proc_describe_from_procfs(inv->table, proc);
	}
	return 0;
}
