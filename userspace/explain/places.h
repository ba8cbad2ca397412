/* SPDX-License-Identifier: MIT */
/*
 * The places of a sentence, "{who}" or "{port}", and what stands there of these facts.  Of a
 * refusal that was recorded they speak in the past.
 */
#ifndef EXPLAIN_PLACES_H
#define EXPLAIN_PLACES_H

#include "explain/explain.h"

/* The sentence with its places filled in; ret holds WHY_SUMMARY_SIZE, and cuts what is longer. */
void why_places_fill(const struct why_facts *f, const char *sentence, char *ret);

/* Are the facts those of a refusal that was recorded? */
bool why_places_are_past(const struct why_facts *f);

#endif
