/* SPDX-License-Identifier: MIT */
/* What can be done.  A command is correct as it stands, or it is absent. */
#ifndef EXPLAIN_REMEDIES_H
#define EXPLAIN_REMEDIES_H

#include "explain/explain.h"

/* Fills f->remedies. */
void why_list_remedies(struct why_facts *f);

/* The same of a refusal whose port is free by now: to try again, and what keeps it from coming
 * back. */
void why_list_remedies_when_free(struct why_facts *f);

/* Remedies that act on the holders (stop.c). */

/* Everybody who holds it lets go: by their manager where one would start them again. */
void remedy_stop(const struct why_facts *f, struct why_remedies *list);
void remedy_resume(const struct why_facts *f, struct why_remedies *list);
void remedy_thaw(const struct why_facts *f, struct why_remedies *list);
void remedy_detach(const struct why_facts *f, struct why_remedies *list);

#endif
