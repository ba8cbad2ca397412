/* SPDX-License-Identifier: MIT */
/* Gathers everything that explain.h's struct why_facts holds but the words. */
#ifndef EXPLAIN_FACTS_H
#define EXPLAIN_FACTS_H

#include "explain/explain.h"

/* As explain_port() and explain_refusal(); the second is in refusal.c. */
int why_facts_gather(struct explainer *x, struct why_facts *f);
int why_facts_recall(struct explainer *x, const struct refusal *refusal, struct why_facts *f);

/* Their steps: the claim of the port, as it is stored; behind the owners the verdict; then what
 * stands around it.  0, negative errno. */
int why_facts_read_claim(struct explainer *x, struct why_facts *f);
int why_facts_judge(struct explainer *x, struct why_facts *f);
int why_facts_finish(struct explainer *x, struct why_facts *f);

#endif
