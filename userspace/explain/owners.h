/* SPDX-License-Identifier: MIT */
/*
 * The owners of a port, each joined with what the table of sockets knows of it, and who holds them:
 * what the table does not explain is looked for, which is other file references than descriptors,
 * and the descriptors of connections, which it does not follow.
 *
 * Of a question about now the kernel is asked.  Of a refusal the table's memory comes first, for
 * its holders may be gone by the time that anybody looks: what a look and a search a moment later
 * tell only corrects and completes that.
 */
#ifndef EXPLAIN_OWNERS_H
#define EXPLAIN_OWNERS_H

#include "explain/explain.h"

/* The table's rows of the port in the namespace; MPTCP is joined by inode. */
struct why_known {
	const struct inventory *inv; /* NULL: the rows below are all that counts */
	struct socket_row *dumped;   /* sorted by cookie; NULL outside of the own namespace */
	size_t n_dumped;
	const struct socket_row **rows;
	size_t n_rows;
};

/* Of struct socket_row, for qsort(). */
int why_by_cookie(const void *left, const void *right);
/* After `dumped` was filled. */
void why_sort_known(struct why_known *k);
/* NULL when nothing knows this owner.  Borrowed. */
const struct socket_row *why_find_known(const struct why_known *k, const struct bind_owner *o);

/* Does the row take its port from the table of this protocol?  MPTCP does from TCP's. */
bool why_same_table(const struct socket_row *row, uint16_t protocol);

/* An owner as far as netlink and the table tell. */
void why_owner_of_row(const struct socket_row *row, struct why_owner *ret);

/* Fills f->owners and f->rows: from the kernel's table, or without it.  0, -ENOMEM. */
int why_join_walk(struct why_facts *f, const struct bind_owner *walked, size_t n,
		  const struct why_known *k);
int why_join_rows(struct why_facts *f, const struct why_known *k);

/* --- who holds them --- */

/* Has it a file that the known holders, also those that only events told of, do not explain? */
bool why_owner_is_open(const struct why_owner *owner);

/* Fills owner->file reference of those whose file has more references than are known.  0, negative
 * errno. */
int why_find_file_refs(struct explainer *x, struct why_owner *const *owners, size_t n);

/*
 * Fills the holders in the rows of those owners that have a file and no known holder, from one look
 * at every process (f->found owns them).  0, negative errno.
 */
int why_find_holders(struct explainer *x, struct why_facts *f, struct why_owner *const *owners,
		     size_t n);

/* Words for a file reference that is no descriptor of a process's own table; NULL for
 * FILE_REF_NONE. */
const char *why_file_ref_text(enum file_ref_kind kind);

/* --- search.c --- */

/* The owners of the question's port now; ret as bindtable_read() leaves it, and so is the result.
 */
int why_walk_now(struct explainer *x, const struct why_facts *f, struct bind_table *ret);

/* Copies the holders that f->rows borrow from the table, which is about to change.  0, -ENOMEM. */
int why_keep_holders(struct why_facts *f);

/* Finds the holders of these owners of f->owners.  0, negative errno. */
int why_search(struct explainer *x, struct why_facts *f, struct why_owner *const *owners, size_t n);

#endif
