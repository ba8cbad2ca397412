/* SPDX-License-Identifier: MIT */
#include "inventory/inventory.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "inventory/internal.h"
#include "inventory/launchers.h"
#include "inventory/reading.h"

DEFINE_CLEANUP(struct inventory *, inventory_free);

int inventory_new(const struct kernel_source *kernel, struct inventory **ret)
{
	_cleanup_(inventory_freep) struct inventory *inv = calloc(1, sizeof(*inv));
	struct stat st;
	int r;

	if (!inv)
		return -ENOMEM;
	inv->kernel = *kernel;
	inv->turn = 1;
	inv->local_range.file.fd = inv->reserved_list.file.fd = -1;
	inv->no_iterator = !kernel->open_holder_pass;
	inv->no_look = !kernel->look;
	if (stat("/proc/self/ns/net", &st) < 0)
		return -errno;
	inv->own_netns = (uint32_t)st.st_ino;
	r = table_new(&inv->kernel, &inv->table);
	r = r ?: sockdiag_open(&inv->diag);
	r = r ?: sockdiag_lists_bound_inactive(inv->diag, &inv->lists_bound_inactive);
	if (r)
		return r;
	*ret = TAKE_PTR(inv);
	return 0;
}

void inventory_free(struct inventory *inv)
{
	if (!inv)
		return;
	reading_end(inv);
	sysctl_file_deinit(&inv->reserved_list.file);
	sysctl_file_deinit(&inv->local_range.file);
	sockdiag_free(inv->diag);
	table_free(inv->table);
	free(inv);
}

uint32_t inventory_own_netns(const struct inventory *inv)
{
	return inv->own_netns;
}

size_t inventory_by_port(const struct inventory *inv, uint32_t netns, uint16_t port,
			 const struct socket_row **ret, size_t max)
{
	const struct row *row;
	size_t n = 0;

	PORT_ROWS_FOREACH(inv->table->by_port[port], row)
	{
		if (netns != 0 && row->view.netns != netns)
			continue;
		if (n == max)
			return n + 1;
		if (ret)
			ret[n] = &row->view;
		n++;
	}
	return n;
}

const struct socket_row *inventory_by_cookie(const struct inventory *inv, uint64_t cookie)
{
	const struct row *row = table_find(inv->table, cookie);

	return row ? &row->view : NULL;
}

void inventory_set_recorded(struct inventory *inv, uint64_t cookie)
{
	struct row *row = table_find(inv->table, cookie);

	if (row)
		row->view.recorded = true;
}

const struct socket_row *inventory_next(const struct inventory *inv, struct inventory_place *place)
{
	const struct row *row = table_next(inv->table, place);

	return row ? &row->view : NULL;
}

/* Each row is met once, where inventory_next() seeks it from the root.  A tree is some dozens deep.
 */
static bool visit_tree(const struct row *row,
		       bool (*visit)(const struct socket_row *row, void *user_data),
		       void *user_data)
{
	return !row ||
	       (visit_tree(row->on_port.less, visit, user_data) && visit(&row->view, user_data) &&
		visit_tree(row->on_port.more, visit, user_data));
}

void inventory_for_each(const struct inventory *inv, bool (*wanted)(uint16_t port, void *user_data),
			bool (*visit)(const struct socket_row *row, void *user_data),
			void *user_data)
{
	size_t port = portset_next(&inv->table->ports, 0);
	bool goes_on = true;

	for (; goes_on && port != PORTSET_END; port = portset_next(&inv->table->ports, port + 1))
		if (!wanted || wanted((uint16_t)port, user_data))
			goes_on = visit_tree(inv->table->by_port[port], visit, user_data);
}

size_t inventory_count(const struct inventory *inv)
{
	return HASH_CNT(hh, inv->table->by_cookie);
}

uint32_t inventory_run_of(const struct inventory *inv, const struct process_id *id)
{
	const struct kernel_source *kernel = inv->table->kernel;

	return kernel->run_of ? kernel->run_of(kernel->user_data, id) : 0;
}

const struct process *inventory_process(const struct inventory *inv, const struct process_id *id)
{
	const struct proc *proc = table_proc(inv->table, id);

	return proc ? &proc->process : NULL;
}

int inventory_recall_process(struct inventory *inv, const struct process *process)
{
	struct proc *proc;
	int r = table_get_proc(inv->table, &process->id, &proc);

	if (r || proc->described)
		return r;
	proc->process = *process;
	proc->described = true;
	return 0;
}

bool inventory_next_launcher_end(struct inventory *inv, struct process_id *ret_server,
				 const struct process **ret_process)
{
	struct launcher_ends *ends = &inv->table->launcher_ends;
	struct proc *proc;

	if (!ends->n)
		return false;
	*ret_server = ends->servers[--ends->n];
	proc = table_proc(inv->table, ret_server);
	*ret_process = proc && !proc->exited ? &proc->process : NULL;
	return true;
}

bool inventory_launcher_ends_wait(const struct inventory *inv)
{
	return inv->table->launcher_ends.n > 0;
}

void inventory_recall_launcher(struct inventory *inv, const struct process_id *server,
			       const struct process_ancestor *launcher)
{
	struct proc *proc = table_proc(inv->table, server);

	if (proc && !proc->exited && proc->n_rows > 0)
		launchers_recall(inv->table, proc, launcher);
}

void inventory_note_loss(struct inventory *inv)
{
	inv->behind = inv->lost_since = true;
}

bool inventory_is_behind(const struct inventory *inv)
{
	return inv->behind;
}

uint64_t inventory_resyncs(const struct inventory *inv)
{
	return inv->resyncs;
}
