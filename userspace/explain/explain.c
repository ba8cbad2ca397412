/* SPDX-License-Identifier: MIT */
#include "explain/explain.h"

#include <string.h>

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

bool why_facts_obstacle(const struct why_facts *f, struct why_obstacle *ret)
{
	if (!f->n_shown)
		return false;
	*ret = (struct why_obstacle){ .state = why_row(f, f->shown[0])->state,
				      .kernel = f->shown[0]->bind.kernel,
				      .searched = !f->unsearched };
	if (f->n_holders) {
		ret->holder = f->holders[0].process.id;
		memcpy(ret->comm, f->holders[0].process.comm, sizeof(ret->comm));
	}
	return true;
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
