/* SPDX-License-Identifier: MIT */
#include "sentinel/rules.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

#include "base/run.h"
#include "bpf/abi.h"
#include "sentinel/bpf_objects.h"
#include "sentinel/questions.h"

_Static_assert(RUN_HARDCODED_MAX == ABI_HARDCODED_MAX && RUN_SIBLINGS_MAX == ABI_SIBLINGS_MAX,
	       "limits");

static int rules_fd(const struct questions *q)
{
	return bpf_map__fd(q->bpf->listen->maps.run_rules);
}

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
				       .n = (uint16_t)from->n };

	for (size_t i = 0; i < from->n; i++)
		rules.ports[i] = (struct abi_hardcoded){ .asked = from->hardcoded[i].asked,
							 .port = from->hardcoded[i].port };
	if (bpf_map_update_elem(rules_fd(q), &run, &rules, BPF_NOEXIST))
		return errno == EEXIST ? 0 : -errno;
	add_in_force(q, rules.n);
	return 0;
}

int question_set_run_rules(void *questions, uint32_t run, const struct run_rules *rules)
{
	const struct questions *q = questions;
	struct abi_run_rules before;

	if (rules)
		return add_run_rules(q, run, rules);
	if (bpf_map_lookup_elem(rules_fd(q), &run, &before))
		return errno == ENOENT ? 0 : -errno;
	if (bpf_map_delete_elem(rules_fd(q), &run))
		return -errno;
	add_in_force(q, -before.n);
	return 0;
}

int question_set_siblings(void *questions, uint64_t project, uint16_t asked, const uint32_t *runs,
			  size_t n)
{
	const struct questions *q = questions;
	const struct abi_sibling_key key = { .project = project, .asked = asked };
	int fd = bpf_map__fd(q->bpf->listen->maps.siblings);
	struct abi_siblings value = { 0 };

	if (n > ABI_SIBLINGS_MAX)
		return -E2BIG;
	if (!n)
		return bpf_map_delete_elem(fd, &key) && errno != ENOENT ? -errno : 0;
	memcpy(value.runs, runs, n * sizeof(*runs));
	return bpf_map_update_elem(fd, &key, &value, BPF_ANY) ? -errno : 0;
}

int question_protect_port(void *questions, uint16_t port, bool on)
{
	const struct questions *q = questions;
	int fd = bpf_map__fd(q->bpf->listen->maps.protected_ports);
	uint8_t yes = 1;

	if (on ? bpf_map_update_elem(fd, &port, &yes, BPF_NOEXIST) : bpf_map_delete_elem(fd, &port))
		return errno == (on ? EEXIST : ENOENT) ? 0 : -errno;
	add_in_force(q, on ? 1 : -1);
	return 0;
}
