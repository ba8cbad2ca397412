/* SPDX-License-Identifier: MIT */
#include "inventory/inventory.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <utlist.h>

#include "base/cleanup.h"
#include "inventory/internal.h"

DEFINE_CLEANUP(struct inventory *, inventory_free);

int inventory_new(const struct holder_source *source, struct inventory **ret)
{
	_cleanup_(inventory_freep) struct inventory *inv = calloc(1, sizeof(*inv));
	struct stat st;
	int r;

	if (!inv)
		return -ENOMEM;
	inv->source = *source;
	inv->turn = 1;
	inv->local_range.fd = inv->reserved_list.fd = -1;
	inv->no_iterator = !source->open_pass;
	inv->no_look = !source->look;
	if (stat("/proc/self/ns/net", &st) < 0)
		return -errno;
	inv->own_netns = (uint32_t)st.st_ino;
	r = table_new(&inv->source, &inv->table);
	if (!r)
		r = sockdiag_open(&inv->diag);
	if (!r)
		r = sockdiag_lists_bound_inactive(inv->diag, &inv->lists_bound_inactive);
	if (r)
		return r;
	*ret = TAKE_PTR(inv);
	return 0;
}

void inventory_free(struct inventory *inv)
{
	if (!inv)
		return;
	sysctl_file_deinit(&inv->reserved_list);
	sysctl_file_deinit(&inv->local_range);
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

	DL_FOREACH2(inv->table->by_port[port], row, port_next)
	{
		if (netns != 0 && row->view.netns != netns)
			continue;
		if (n < max)
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

static bool visit_port(const struct inventory *inv, size_t port,
		       bool (*visit)(const struct socket_row *row, void *user_data),
		       void *user_data)
{
	const struct row *row;

	DL_FOREACH2(inv->table->by_port[port], row, port_next)
	{
		if (!visit(&row->view, user_data))
			return false;
	}
	return true;
}

void inventory_for_each(const struct inventory *inv,
			bool (*visit)(const struct socket_row *row, void *user_data),
			void *user_data)
{
	for (size_t i = 0; i < ARRAY_SIZE(inv->table->ports); i++)
		for (uint64_t left = inv->table->ports[i]; left; left &= left - 1)
			if (!visit_port(inv, 64 * i + (size_t)__builtin_ctzll(left), visit,
					user_data))
				return;
}

size_t inventory_count(const struct inventory *inv)
{
	return HASH_CNT(hh, inv->table->by_cookie);
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

void inventory_note_loss(struct inventory *inv)
{
	inv->behind = true;
}

bool inventory_is_behind(const struct inventory *inv)
{
	return inv->behind;
}

uint64_t inventory_resyncs(const struct inventory *inv)
{
	return inv->resyncs;
}
