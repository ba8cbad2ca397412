/* SPDX-License-Identifier: MIT */
/*
 * What else may refuse a bind: sysctls, addresses, the caller's rights; and the network namespace
 * in which it is asked.
 */
#ifndef EXPLAIN_ENVIRONMENT_H
#define EXPLAIN_ENVIRONMENT_H

#include "explain/explain.h"

/* The ranges of ports, the asked address, and what the caller may. */
void why_environment_read(const struct why_facts *f, struct why_environment *ret);

/* What is worth a look only when no owner explains the refusal. */
void why_environment_read_rest(const struct why_facts *f, struct why_environment *ret);

/* The ports that are kept from being given away; false where they cannot be read (whole), as in
 * another network namespace. */
bool why_environment_read_reserved(const struct why_facts *f, char *ret, size_t size);

/*
 * A process in a network namespace, by its number: an ancestor of `caller` (pid 0 = nobody), which
 * was in it, that one itself, or whoever holds a socket in it.  0 = none is known.
 */
pid_t why_netns_inhabitant(struct explainer *x, uint32_t netns, const struct process_id *caller);

/* Fills `enter` and `shut` of the namespace, once the holders are known. */
void why_netns_find_entry(struct explainer *x, struct why_facts *f);

#endif
