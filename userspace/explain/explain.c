/* SPDX-License-Identifier: MIT */
#include "explain/explain.h"

#include "explain/facts.h"
#include "explain/remedies.h"
#include "explain/words.h"

static void write_words(const struct explainer *x, struct why_facts *f)
{
	why_say_missing(x->report, f);
	why_write_rule(f);
	why_summarize(f);
	why_list_remedies(f);
}

int explain_port(struct explainer *x, struct why_facts *f)
{
	int r = why_facts_gather(x, f);

	if (!r)
		write_words(x, f);
	return r;
}

int explain_refusal(struct explainer *x, const struct refusal *refusal, struct why_facts *f)
{
	int r = why_facts_recall(x, refusal, f);

	if (!r)
		write_words(x, f);
	return r;
}
