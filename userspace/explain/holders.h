/* SPDX-License-Identifier: MIT */
/*
 * Who holds an owner that the table of sockets does not explain: other grips than descriptors, and
 * the descriptors of connections, which the table does not follow.
 */
#ifndef EXPLAIN_HOLDERS_H
#define EXPLAIN_HOLDERS_H

#include "explain/explain.h"

/* Has it a file that the known holders, also those that only events told of, do not explain? */
bool why_owner_is_open(const struct why_owner *owner);

/* Fills owner->grip of those whose file has more references than are known.  0, negative errno. */
int why_find_grips(struct explainer *x, struct why_owner *const *owners, size_t n);

/*
 * Fills the holders in the rows of those owners that have a file and no known holder, from one look
 * at every process (f->found owns them).  0, negative errno.
 */
int why_find_holders(struct explainer *x, struct why_facts *f, struct why_owner *const *owners,
		     size_t n);

#endif
