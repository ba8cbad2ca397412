/* SPDX-License-Identifier: MIT */
/*
 * Templates: the one language in which sentences, rules, remedies and their commands are written.
 * "{who}" or "{port}" is a place, and the table in template.c says what stands there of these
 * facts.  Of a refusal that was recorded they speak in the past.
 */
#ifndef EXPLAIN_TEMPLATE_H
#define EXPLAIN_TEMPLATE_H

#include "explain/explain.h"

/* The template with its places filled in; what is longer than `size` is cut. */
void why_template_fill(const struct why_facts *f, const char *template, char *ret, size_t size);

/* Are the facts those of a refusal that was recorded? */
static inline bool why_is_past(const struct why_facts *f)
{
	return f->question.caller.pid != 0;
}

/* What stands before a command that needs root. */
static inline const char *why_sudo(const struct why_facts *f)
{
	return f->viewer == 0 ? "" : "sudo ";
}

/* "5 days", "1 minute", "42 seconds". */
#define WHY_AGE_SIZE 32
char *why_age(int64_t seconds, char ret[static WHY_AGE_SIZE]);

#endif
