/* SPDX-License-Identifier: MIT */
#include "inventory/port_rows.h"

#include <stddef.h>

#include "inventory/table.h"

/* The finaliser of MurmurHash3: whoever opens sockets in some pattern gets ranks in none. */
static uint64_t rank_of(const struct row *row)
{
	uint64_t x = row->view.cookie;

	x = (x ^ x >> 33) * UINT64_C(0xff51afd7ed558ccd);
	x = (x ^ x >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
	return x ^ x >> 33;
}

/* Parts a tree into the rows before and behind a cookie. */
static void split(struct row *tree, uint64_t cookie, struct row **less, struct row **more)
{
	while (tree) {
		if (tree->view.cookie < cookie) {
			*less = tree;
			less = &tree->on_port.more;
			tree = tree->on_port.more;
		} else {
			*more = tree;
			more = &tree->on_port.less;
			tree = tree->on_port.less;
		}
	}
	*less = *more = NULL;
}

/* All of `less` come before all of `more`. */
static struct row *join(struct row *less, struct row *more)
{
	struct row *root, **at = &root;

	while (less && more) {
		if (rank_of(less) > rank_of(more)) {
			*at = less;
			at = &less->on_port.more;
			less = less->on_port.more;
		} else {
			*at = more;
			at = &more->on_port.less;
			more = more->on_port.less;
		}
	}
	*at = less ? less : more;
	return root;
}

static struct row **towards(struct row *from, uint64_t cookie)
{
	return cookie < from->view.cookie ? &from->on_port.less : &from->on_port.more;
}

void port_rows_add(struct row **root, struct row *row)
{
	uint64_t cookie = row->view.cookie;

	while (*root && rank_of(*root) > rank_of(row))
		root = towards(*root, cookie);
	split(*root, cookie, &row->on_port.less, &row->on_port.more);
	*root = row;
}

void port_rows_remove(struct row **root, struct row *row)
{
	while (*root != row)
		root = towards(*root, row->view.cookie);
	*root = join(row->on_port.less, row->on_port.more);
}

struct row *port_rows_after(struct row *root, uint64_t cookie)
{
	struct row *found = NULL;

	while (root) {
		if (root->view.cookie > cookie) {
			found = root;
			root = root->on_port.less;
		} else {
			root = root->on_port.more;
		}
	}
	return found;
}
