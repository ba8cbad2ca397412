/* SPDX-License-Identifier: MIT */
/* What the files that write remedies share.  A command is correct as it stands, or it is absent. */
#ifndef EXPLAIN_REMEDIES_H
#define EXPLAIN_REMEDIES_H

#include "explain/explain.h"

/* Appends text and command, unless there are WHY_REMEDIES_MAX already; command NULL or "" = words
 * only. */
void remedy_add(struct why_remedies *list, const char *command, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* A path or name that a shell takes as one word without quotes. */
bool remedy_is_plain_word(const char *s);

/* Fills f->remedies. */
void why_list_remedies(struct why_facts *f);

/* Remedies that act on the holders (stop.c). */

/* Everybody who holds it lets go: by their manager where one would start them again. */
void remedy_stop(const struct why_facts *f, struct why_remedies *list);
void remedy_resume(const struct why_facts *f, struct why_remedies *list);
void remedy_thaw(const struct why_facts *f, struct why_remedies *list);
void remedy_detach(const struct why_facts *f, struct why_remedies *list);

#endif
