/* SPDX-License-Identifier: MIT */
#include "sentinel/rules.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "base/run.h"
#include "bpf/abi.h"
#include "sentinel/bpf_objects.h"
#include "sentinel/questions.h"

_Static_assert(RUN_HARDCODED_MAX == ABI_HARDCODED_MAX && RUN_SIBLINGS_MAX == ABI_SIBLINGS_MAX,
	       "limits");

/* Only this process writes it, and each hook reads it first. */
static void add_in_force(const struct questions *q, int n)
{
	q->bpf->listen->bss->rules_in_force += (uint32_t)n;
}

/* What is counted in them is the kernel side's: rules that are there already are not changed. */
static int add_run_rules(const struct questions *q, uint32_t run, const struct run_rules *from)
{
	struct abi_run_rules rules = { .project = from->project,
				       .port = from->port,
				       .n = (uint16_t)from->n,
				       .transparent = from->transparent };
	int r;

	for (size_t i = 0; i < from->n; i++)
		rules.ports[i] = (struct abi_hardcoded){ .asked = from->hardcoded[i].asked,
							 .port = from->hardcoded[i].port };
	r = maps_update(&q->maps, ABI_MAP_RUN_RULES, &run, &rules, BPF_NOEXIST);
	if (!r)
		add_in_force(q, rules.n);
	return r == -EEXIST ? 0 : r;
}

int question_set_run_rules(void *questions, uint32_t run, const struct run_rules *rules)
{
	const struct questions *q = questions;
	struct abi_run_rules before;
	int r;

	if (rules)
		return add_run_rules(q, run, rules);
	r = maps_lookup(&q->maps, ABI_MAP_RUN_RULES, &run, &before);
	r = r ?: maps_delete(&q->maps, ABI_MAP_RUN_RULES, &run);
	if (!r)
		add_in_force(q, -before.n);
	return r == -ENOENT ? 0 : r;
}

int question_set_siblings(void *questions, uint64_t project, uint16_t asked, const uint32_t *runs,
			  size_t n)
{
	const struct questions *q = questions;
	const struct abi_sibling_key key = { .project = project, .asked = asked };
	struct abi_siblings value = { 0 };
	int r;

	if (n > ABI_SIBLINGS_MAX)
		return -E2BIG;
	if (!n) {
		r = maps_delete(&q->maps, ABI_MAP_SIBLINGS, &key);
		return r == -ENOENT ? 0 : r;
	}
	memcpy(value.runs, runs, n * sizeof(*runs));
	return maps_update(&q->maps, ABI_MAP_SIBLINGS, &key, &value, BPF_ANY);
}

int question_protect_port(void *questions, uint16_t port, bool on)
{
	const struct questions *q = questions;
	const uint8_t yes = 1;
	int r = on ? maps_update(&q->maps, ABI_MAP_PROTECTED, &port, &yes, BPF_NOEXIST)
		   : maps_delete(&q->maps, ABI_MAP_PROTECTED, &port);

	if (!r)
		add_in_force(q, on ? 1 : -1);
	return r == (on ? -EEXIST : -ENOENT) ? 0 : r;
}
