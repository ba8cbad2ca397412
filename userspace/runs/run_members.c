/* SPDX-License-Identifier: MIT */
#include "runs/run_members.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/kernel_source.h"
#include "base/procfs.h"
#include "registry/runs.h"

#define PLACING_TURNS_MAX 8 /* of members that fork while they are placed */

/* The pd of each run, and whom the kernel side knows. */
static int list_known(const struct run_members *m, struct run_member **ret, size_t *ret_n)
{
	const struct kernel_source *kernel = m->kernel;
	struct run_member *known = NULL, *grown;
	size_t n = 0, n_runs = 0;
	int r = kernel->run_members ? kernel->run_members(kernel->user_data, &known, &n) : 0;

	if (r)
		return r;
	for (struct run *run = registry_runs(m->registry); run; run = run->next)
		n_runs++;
	grown = reallocarray(known, n + n_runs + 1, sizeof(*grown));
	if (!grown) {
		free(known);
		return -ENOMEM;
	}
	for (struct run *run = registry_runs(m->registry); run; run = run->next)
		if (run->pd.pid && procfs_alive(&run->pd))
			grown[n++] = (struct run_member){ .id = run->pd, .run = run->number };
	*ret = grown;
	*ret_n = n;
	return 0;
}

static int find_in_proc(const struct run_members *m, struct run_member **ret, size_t *ret_n)
{
	_cleanup_free_ struct run_member *known = NULL;
	size_t n;
	int r = list_known(m, &known, &n);

	return r ? r : run_find_members(known, n, 0, ret, ret_n);
}

static int by_run_and_pid(const void *a, const void *b)
{
	const struct run_member *x = a, *y = b;

	if (x->run != y->run)
		return x->run < y->run ? -1 : 1;
	return (x->id.pid > y->id.pid) - (x->id.pid < y->id.pid);
}

/*
 * The pd of a run is counted to the run around it.  The rows are in order before and after; how
 * many are left.  A run is looked up once, however many members it has.
 */
static size_t place_attendants(const struct run_members *m, struct run_member *members, size_t n)
{
	const struct run *run = NULL;
	bool moved = false;
	size_t kept = 0;
	uint32_t number = 0;

	for (size_t i = 0; i < n; i++) {
		struct run_member member = members[i];

		if (member.run != number)
			run = registry_run(m->registry, member.run);
		number = member.run;
		if (run && process_id_equal(&run->pd, &member.id)) {
			member.run = run->outer;
			moved = true;
		}
		if (member.run)
			members[kept++] = member;
	}
	if (moved)
		qsort(members, kept, sizeof(*members), by_run_and_pid);
	return kept;
}

int run_members_list(const struct run_members *m, struct run_member **ret, size_t *ret_n)
{
	const struct kernel_source *kernel = m->kernel;
	int r = kernel->run_members ? kernel->run_members(kernel->user_data, ret, ret_n)
				    : find_in_proc(m, ret, ret_n);

	if (r)
		return r;
	qsort(*ret, *ret_n, sizeof(**ret), by_run_and_pid);
	*ret_n = place_attendants(m, *ret, *ret_n);
	return 0;
}

size_t run_members_count(const struct run_members *m, uint32_t number)
{
	_cleanup_free_ struct run_member *members = NULL;
	size_t n = 0, found = 0;

	if (run_members_list(m, &members, &n))
		return 1; /* not known: it is not over */
	for (size_t i = 0; i < n; i++)
		found += members[i].run == number;
	return found;
}

/* Anybody may write any run into an environment: of a user's run are that user's processes. */
static bool may_join(const struct run *run, const struct process_id *id)
{
	return run && (!run->uid || procfs_uid(id->pid) == run->uid);
}

int run_members_join(const struct run_members *m, const struct run_member *members, size_t n)
{
	const struct kernel_source *kernel = m->kernel;
	int joined = 0;

	for (size_t i = 0; i < n; i++) {
		const struct run_member *one = &members[i];
		int r;

		if (!may_join(registry_run(m->registry, one->run), &one->id) ||
		    kernel->run_of(kernel->user_data, &one->id) == one->run)
			continue;
		r = kernel->join_run(kernel->user_data, one->run, &one->id);
		if (r && r != -ESRCH)
			return r;
		joined++;
	}
	return joined;
}

int run_members_place(const struct run_members *m)
{
	int r = 1;

	for (int turn = 0; r > 0 && turn < PLACING_TURNS_MAX; turn++) {
		_cleanup_free_ struct run_member *members = NULL;
		size_t n = 0;

		r = find_in_proc(m, &members, &n);
		r = r ?: run_members_join(m, members, n);
	}
	return r < 0 ? r : 0;
}
