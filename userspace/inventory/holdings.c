/* SPDX-License-Identifier: MIT */
/* Who holds a port, for those who tell people of it: rows that were looked at, and processes. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/procfs.h"
#include "base/text.h"
#include "inventory/internal.h"

#define SERVED_ROWS_MAX                                                          \
	256 /* sockets of one process that are looked at for the ports it serves \
	     */

/* --- rows and holders --- */

bool socket_serves(const struct socket_row *row)
{
	if (row->protocol == IPPROTO_TCP || row->protocol == NET_PROTOCOL_MPTCP)
		return row->state == SOCKET_LISTEN;
	/* a UDP socket with a peer is ESTABLISHED: a client */
	return row->state == SOCKET_BOUND;
}

static int by_age(const void *left, const void *right)
{
	const struct process_id *a = &((const struct holding *)left)->holder->id;
	const struct process_id *b = &((const struct holding *)right)->holder->id;

	if (a->start_ticks != b->start_ticks)
		return a->start_ticks < b->start_ticks ? -1 : 1;
	return (a->pid > b->pid) - (a->pid < b->pid);
}

int inventory_holdings(const struct socket_row *const *rows, size_t n, bool serving,
		       struct holding **ret, size_t *ret_n)
{
	struct holding *list;
	size_t total = 0, used = 0, unique = 0;

	for (size_t i = 0; i < n; i++)
		total += rows[i]->n_holders;
	list = calloc(total + 1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		for (size_t h = 0; h < rows[i]->n_holders; h++)
			if (!serving || socket_serves(rows[i]))
				list[used++] = (struct holding){ &rows[i]->holders[h], rows[i],
								 NULL };
	qsort(list, used, sizeof(*list), by_age);
	for (size_t i = 0; i < used; i++)
		if (!unique || by_age(&list[unique - 1], &list[i]))
			list[unique++] = list[i];
	*ret = list;
	*ret_n = unique;
	return 0;
}

static int verify(struct inventory *inv, uint32_t netns, uint16_t port)
{
	const struct socket_row *rows[64];
	uint32_t seen[ARRAY_SIZE(rows)];
	size_t n, n_seen = 0;

	if (netns)
		return inventory_verify_port(inv, netns, port);
	n = inventory_by_port(inv, 0, port, rows, ARRAY_SIZE(rows));
	/* copied out first: verifying may move the rows */
	for (size_t i = 0; i < n && i < ARRAY_SIZE(rows); i++)
		seen[n_seen++] = rows[i]->netns;
	for (size_t i = 0; i < n_seen; i++) {
		size_t j = 0;
		int r;

		while (seen[j] != seen[i])
			j++;
		r = j == i ? inventory_verify_port(inv, seen[i], port) : 0;
		if (r)
			return r;
	}
	return 0;
}

int inventory_rows_of_port(const struct inventory *inv, uint32_t netns, uint16_t port,
			   const struct socket_row ***ret, size_t *ret_n)
{
	size_t n = inventory_by_port(inv, netns, port, NULL, SIZE_MAX);

	*ret = calloc(n + 1, sizeof(struct socket_row *));
	if (!*ret)
		return -ENOMEM;
	*ret_n = inventory_by_port(inv, netns, port, *ret, n);
	return 0;
}

int inventory_verified_rows(struct inventory *inv, uint32_t netns, uint16_t port,
			    const struct socket_row ***ret, size_t *ret_n)
{
	int r = verify(inv, netns, port);

	return r ? r : inventory_rows_of_port(inv, netns, port, ret, ret_n);
}

/* --- processes --- */

static bool has_port(const uint16_t *ports, size_t n, uint16_t port)
{
	for (size_t i = 0; i < n; i++)
		if (ports[i] == port)
			return true;
	return false;
}

size_t inventory_served_ports(const struct inventory *inv, const struct process_id *id,
			      uint16_t but, uint16_t *ret, size_t max)
{
	const struct proc *proc = table_proc(inv->table, id);
	size_t n = 0;

	for (size_t i = 0; proc && i < proc->n_rows && i < SERVED_ROWS_MAX; i++) {
		struct row *row = proc->rows[i];
		uint16_t port = row->view.port;

		if (port == but || !socket_serves(&row->view) || !row_holder(row, id) ||
		    has_port(ret, n, port))
			continue;
		if (n == max)
			return max + 1;
		ret[n++] = port;
	}
	return n;
}

void inventory_for_each_process(const struct inventory *inv,
				bool (*visit)(const struct process *process, void *user_data),
				void *user_data)
{
	for (const struct proc *proc = inv->table->procs; proc; proc = proc->hh.next)
		if (proc->n_rows && !proc->exited && !visit(&proc->process, user_data))
			return;
}

static void name_by_program(struct process *process)
{
	char line[PROCFS_CMDLINE_SIZE] = "", *end;
	const char *path = process->exe;

	if (strcmp(process->comm, INVENTORY_NODE_THREAD) != 0)
		return;
	if (!*path && !procfs_cmdline(&process->id, line, sizeof(line))) {
		end = strchr(line, ' ');
		if (end)
			*end = '\0';
		path = line;
	}
	path = text_base_name(path);
	if (*path)
		snprintf(process->comm, sizeof(process->comm), "%s", path);
}

bool inventory_describe(const struct inventory *inv, const struct process_id *id,
			struct process *ret)
{
	const struct process *known = inventory_process(inv, id);

	if (known)
		*ret = *known;
	else if (id->pid <= 0 || procfs_describe(id->pid, ret) || !process_id_equal(&ret->id, id))
		return false;
	name_by_program(ret);
	return true;
}

const char *inventory_process_name(const struct inventory *inv, const struct process_id *id,
				   char ret[static PROCESS_COMM_SIZE])
{
	const struct process *known = inventory_process(inv, id);
	struct process process = { 0 };

	/* the name alone, where nothing has to be found out: a list has ten thousand of them */
	if (known && strcmp(known->comm, INVENTORY_NODE_THREAD) != 0)
		return memcpy(ret, known->comm, PROCESS_COMM_SIZE);
	if (id->pid)
		inventory_describe(inv, id, &process);
	return memcpy(ret, process.comm, PROCESS_COMM_SIZE);
}
