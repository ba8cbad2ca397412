/* SPDX-License-Identifier: MIT */
#include "runs/run_rules.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/kernel_source.h"
#include "base/run.h"
#include "registry/runs.h"

static bool has_hardcoded(const struct run *run, uint16_t asked)
{
	for (size_t i = 0; i < run->n_hardcoded; i++)
		if (run->hardcoded[i].asked == asked)
			return true;
	return false;
}

/* Who has hard-coded that port in the project of a run, itself included unless it is over. */
static int set_siblings(const struct kernel_source *kernel, const struct registry *registry,
			const struct run *run, uint16_t asked, bool over)
{
	uint32_t runs[RUN_SIBLINGS_MAX];
	size_t n = 0;

	/* one that is not in the list yet is the newest */
	if (!over && !registry_run(registry, run->number))
		runs[n++] = run->number;
	for (const struct run *other = registry_runs(registry); other && n < RUN_SIBLINGS_MAX;
	     other = other->next)
		if (!(over && other->number == run->number) && other->project == run->project &&
		    has_hardcoded(other, asked))
			runs[n++] = other->number;
	return kernel->set_siblings(kernel->user_data, run->project, asked, runs, n);
}

int run_rules_set(const struct kernel_source *kernel, const struct registry *registry,
		  const struct run *run)
{
	struct run_rules rules = { .project = run->project,
				   .port = run->port,
				   .transparent = run->transparent,
				   .n = run->n_hardcoded };
	int r;

	if (!kernel->set_run_rules)
		return -EOPNOTSUPP;
	memcpy(rules.hardcoded, run->hardcoded, sizeof(rules.hardcoded));
	r = kernel->set_run_rules(kernel->user_data, run->number, &rules);
	for (size_t i = 0; !r && run->project && i < run->n_hardcoded; i++)
		r = set_siblings(kernel, registry, run, run->hardcoded[i].asked, false);
	if (r) /* the caller says that the ports stay as they are */
		kernel->set_run_rules(kernel->user_data, run->number, NULL);
	return r;
}

void run_rules_lift(const struct kernel_source *kernel, const struct registry *registry,
		    const struct run *run)
{
	if (!kernel->set_run_rules)
		return;
	for (size_t i = 0; run->project && i < run->n_hardcoded; i++)
		set_siblings(kernel, registry, run, run->hardcoded[i].asked, true);
	kernel->set_run_rules(kernel->user_data, run->number, NULL);
}
