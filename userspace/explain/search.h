/* SPDX-License-Identifier: MIT */
/*
 * Who holds the sockets that are in the way.  Of a question about now the kernel is asked.  Of a
 * refusal the table's memory comes first, for its holders may be gone by the time that anybody
 * looks: what a look and a search a moment later tell only corrects and completes that.
 */
#ifndef EXPLAIN_SEARCH_H
#define EXPLAIN_SEARCH_H

#include "explain/explain.h"

/* The owners of the question's port now; ret as bindtable_read() leaves it, and so is the result.
 */
int why_walk_now(struct explainer *x, const struct why_facts *f, struct bind_table *ret);

/* Copies the holders that f->rows borrow from the table, which is about to change.  0, -ENOMEM. */
int why_keep_holders(struct why_facts *f);

/* Finds the holders of these owners of f->owners.  0, negative errno. */
int why_search(struct explainer *x, struct why_facts *f, struct why_owner *const *owners, size_t n);

#endif
