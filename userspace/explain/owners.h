/* SPDX-License-Identifier: MIT */
/* The owners of a port, each joined with what the table of sockets knows of it. */
#ifndef EXPLAIN_OWNERS_H
#define EXPLAIN_OWNERS_H

#include "explain/explain.h"

/* The table's rows of the port in the place; MPTCP is joined by inode. */
struct why_known {
	const struct inventory *inv; /* NULL: the rows below are all that counts */
	struct socket_row *dumped;   /* sorted by cookie; NULL outside of the own namespace */
	size_t n_dumped;
	const struct socket_row **rows;
	size_t n_rows;
};

/* After `dumped` was filled. */
void why_sort_known(struct why_known *k);
/* NULL when nothing knows this owner.  Borrowed. */
const struct socket_row *why_find_known(const struct why_known *k, const struct bind_owner *o);

/* All rows of a port; netns 0 = of all namespaces.  *ret is the caller's: free().  0, -ENOMEM. */
int why_list_rows(const struct inventory *inv, uint32_t netns, uint16_t port,
		  const struct socket_row ***ret, size_t *ret_n);
/* Does the row take its port from the table of this protocol?  MPTCP does from TCP's. */
bool why_same_table(const struct socket_row *row, uint16_t protocol);

/* An owner as far as netlink and the table tell. */
void why_owner_of_row(const struct socket_row *row, struct why_owner *ret);

/* Fills f->owners and f->rows: from the kernel's table, or without it.  0, -ENOMEM. */
int why_join_walk(struct why_facts *f, const struct bind_owner *walked, size_t n,
		  const struct why_known *k);
int why_join_rows(struct why_facts *f, const struct why_known *k);

#endif
