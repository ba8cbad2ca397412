/* SPDX-License-Identifier: MIT */
#include "inventory/table.h"

#include <errno.h>
#include <stdlib.h>
#include <utlist.h>

#include "base/cleanup.h"
#include "inventory/launchers.h"

static void proc_free_all(struct table *t)
{
	struct proc *proc, *next;

	HASH_ITER(hh, t->procs, proc, next) {
		HASH_DEL(t->procs, proc);
		free(proc->rows);
		free(proc->launchers);
		free(proc);
	}
}

static void row_free(struct row *row)
{
	free(row->view.holders);
	free(row->alias);
	free(row);
}

int table_new(const struct kernel_source *kernel, struct table **ret)
{
	struct table *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->kernel = kernel;
	/* Half a megabyte of addresses, of which only the pages with ports in use become memory. */
	t->by_port = calloc(PORTSET_END, sizeof(*t->by_port));
	if (!t->by_port) {
		free(t);
		return -ENOMEM;
	}
	*ret = t;
	return 0;
}

void table_free(struct table *t)
{
	struct row *row, *next;

	if (!t)
		return;
	HASH_CLEAR(hh, t->aliases);
	HASH_CLEAR(hh_inode, t->by_inode);
	HASH_ITER(hh, t->by_cookie, row, next) {
		HASH_DEL(t->by_cookie, row);
		row_free(row);
	}
	proc_free_all(t);
	launchers_free_all(t);
	changes_deinit(&t->changes);
	free(t->by_port);
	free(t);
}

/* --- finding --------------------------------------------------------------------------------- */

struct row *table_find(const struct table *t, uint64_t cookie)
{
	struct row *row;
	struct alias *alias;

	HASH_FIND(hh, t->by_cookie, &cookie, sizeof(cookie), row);
	if (row || !t->aliases)
		return row;
	HASH_FIND(hh, t->aliases, &cookie, sizeof(cookie), alias);
	return alias ? alias->row : NULL;
}

struct row *table_find_inode(const struct table *t, uint64_t inode)
{
	struct row *row;

	HASH_FIND(hh_inode, t->by_inode, &inode, sizeof(inode), row);
	return row;
}

struct row *table_find_socket(const struct table *t, uint64_t cookie, uint64_t inode)
{
	struct row *row = table_find(t, cookie);

	return row || !inode ? row : table_find_inode(t, inode);
}

struct row *table_next(const struct table *t, struct inventory_place *place)
{
	struct row *row = port_rows_after(t->by_port[place->port], place->cookie);
	size_t port = row ? place->port : portset_next(&t->ports, (size_t)place->port + 1);

	if (port == PORTSET_END)
		return NULL;
	if (!row)
		row = port_rows_after(t->by_port[port], 0);
	*place = (struct inventory_place){ (uint16_t)port, row->view.cookie };
	return row;
}

/* --- indexes --------------------------------------------------------------------------------- */

static void port_insert(struct table *t, struct row *row)
{
	port_rows_add(&t->by_port[row->view.port], row);
	portset_add(&t->ports, row->view.port);
}

static void port_remove(struct table *t, struct row *row)
{
	uint16_t port = row->view.port;

	port_rows_remove(&t->by_port[port], row);
	if (!t->by_port[port])
		portset_remove(&t->ports, port);
}

static int inode_insert(struct table *t, struct row *row, uint64_t inode)
{
	row->view.inode = inode;
	if (!inode)
		return 0;
	HASH_ADD(hh_inode, t->by_inode, view.inode, sizeof(row->view.inode), row);
	if (row->hh_inode.tbl)
		return 0;
	row->view.inode = 0;
	return -ENOMEM;
}

static void inode_remove(struct table *t, struct row *row)
{
	if (row->view.inode)
		HASH_DELETE(hh_inode, t->by_inode, row);
	row->view.inode = 0;
}

int table_add_row(struct table *t, const struct socket_row *facts, struct row **ret)
{
	struct row *row = calloc(1, sizeof(*row));

	if (!row)
		return -ENOMEM;
	row->view = *facts;
	row->view.inode = 0;
	row->view.holders = NULL;
	row->view.n_holders = 0;
	HASH_ADD(hh, t->by_cookie, view.cookie, sizeof(row->view.cookie), row);
	if (!row->hh.tbl) {
		row_free(row);
		return -ENOMEM;
	}
	if (inode_insert(t, row, facts->inode)) {
		HASH_DEL(t->by_cookie, row);
		row_free(row);
		return -ENOMEM;
	}
	port_insert(t, row);
	table_note(t, row);
	*ret = row;
	return 0;
}

static void unlink_processes(struct table *t, struct row *row)
{
	struct proc *binder = table_proc(t, &row->view.binder);

	if (binder && !row_holder(row, &row->view.binder))
		proc_unlink(t, binder, row->binder_link);
	/* One after the other, so that none is met that is not linked any more. */
	for (; row->view.n_holders > 0; row->view.n_holders--) {
		const struct holder *last = &row->view.holders[row->view.n_holders - 1];
		struct proc *proc = table_proc(t, &last->id);

		if (proc)
			proc_unlink(t, proc, last->link);
	}
}

/* Takes the row out of everything but the index by cookie. */
static void row_destroy(struct table *t, struct row *row)
{
	table_note(t, row);
	table_settle(t, row);
	unlink_processes(t, row);
	port_remove(t, row);
	inode_remove(t, row);
	if (row->alias)
		HASH_DEL(t->aliases, row->alias);
	row_free(row);
}

void table_remove_row(struct table *t, struct row *row)
{
	HASH_DEL(t->by_cookie, row);
	row_destroy(t, row);
}

void table_place_row(struct table *t, struct row *row, uint32_t netns, uint16_t port)
{
	if (row->view.netns == netns && row->view.port == port)
		return;
	table_note(t, row);
	port_remove(t, row);
	row->view.netns = netns;
	row->view.port = port;
	port_insert(t, row);
	table_note(t, row);
}

void table_unsettle(struct table *t, struct row *row)
{
	row->looked = false;
	row->passes = 0;
	row->fruitless = 0;
	row->view.undecided = row->view.n_holders == 0;
	if (row->unsettled)
		return;
	row->unsettled = true;
	DL_APPEND2(t->unsettled, row, unsettled_prev, unsettled_next);
}

void table_settle(struct table *t, struct row *row)
{
	if (!row->unsettled)
		return;
	row->unsettled = false;
	DL_DELETE2(t->unsettled, row, unsettled_prev, unsettled_next);
	if (!row->view.undecided)
		return;
	row->view.undecided = false;
	table_note(t, row);
}

/* --- one socket, several names --------------------------------------------------------------- */

static int set_alias(struct table *t, struct row *row, uint64_t cookie)
{
	struct alias *alias;

	if (row->alias) {
		HASH_DEL(t->aliases, row->alias);
		free(TAKE_PTR(row->alias));
	}
	alias = calloc(1, sizeof(*alias));
	if (!alias)
		return -ENOMEM;
	alias->cookie = cookie;
	alias->row = row;
	HASH_ADD(hh, t->aliases, cookie, sizeof(alias->cookie), alias);
	if (!alias->hh.tbl) {
		free(alias);
		return -ENOMEM;
	}
	row->alias = alias;
	return 0;
}

/* The row was known by the MPTCP socket's cookie; the subflow's, which owns the port, replaces it.
 */
static int rekey(struct table *t, struct row *row, uint64_t cookie)
{
	uint64_t old = row->view.cookie;

	port_remove(t, row);
	HASH_DEL(t->by_cookie, row);
	row->view.cookie = cookie;
	HASH_ADD(hh, t->by_cookie, view.cookie, sizeof(row->view.cookie), row);
	port_insert(t, row);
	if (!row->hh.tbl) {
		row_destroy(t, row); /* without its index it cannot stay */
		return -ENOMEM;
	}
	return set_alias(t, row, old);
}

static bool is_joined_mptcp(const struct row *row)
{
	return row->view.protocol != NET_PROTOCOL_MPTCP || row->alias;
}

/* Two names for one file: is `other` the MPTCP side of this socket, or a row that outlived it? */
static int join_by_inode(struct table *t, struct row *other, uint64_t cookie, uint16_t protocol,
			 struct row **ret)
{
	int r;

	if (protocol == NET_PROTOCOL_MPTCP || !is_joined_mptcp(other)) {
		r = protocol == NET_PROTOCOL_MPTCP ? set_alias(t, other, cookie)
						   : rekey(t, other, cookie);
		if (r)
			return r;
		other->view.protocol = NET_PROTOCOL_MPTCP;
		*ret = other;
		return 0;
	}
	/* Inode numbers come round after 2^32 sockets: the CLOSE of that row was lost. */
	table_remove_row(t, other);
	*ret = NULL;
	return 0;
}

/* The row got its inode only now, and the other half of an MPTCP socket has it already. */
static int merge_by_inode(struct table *t, struct row *row, struct row *other)
{
	uint64_t cookie = row->view.cookie;
	struct row *msk = row->view.protocol == NET_PROTOCOL_MPTCP ? row : other;

	if (msk->view.protocol != NET_PROTOCOL_MPTCP || msk->alias) {
		table_remove_row(t, other);
		return 0;
	}
	if (msk == row) {
		table_remove_row(t, row);
		other->view.protocol = NET_PROTOCOL_MPTCP;
		return set_alias(t, other, cookie);
	}
	cookie = other->view.cookie;
	table_remove_row(t, other);
	row->view.protocol = NET_PROTOCOL_MPTCP;
	return set_alias(t, row, cookie);
}

int table_match(struct table *t, uint64_t cookie, uint64_t inode, uint16_t protocol,
		struct row **ret)
{
	struct row *row = table_find(t, cookie), *other;
	int r;

	other = inode ? table_find_inode(t, inode) : NULL;
	if (!row && other)
		return join_by_inode(t, other, cookie, protocol, ret);
	if (row && other && other != row) {
		r = merge_by_inode(t, row, other);
		if (r)
			return r;
		row = table_find(t, cookie);
	}
	if (row && inode && row->view.inode != inode) {
		inode_remove(t, row);
		r = inode_insert(t, row, inode);
		if (r)
			return r;
	}
	*ret = row;
	return 0;
}
