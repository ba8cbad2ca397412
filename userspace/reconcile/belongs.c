/* SPDX-License-Identifier: MIT */
#include "reconcile/belongs.h"

#include <string.h>

#include "base/cleanup.h"

#define PATH_CUT "\xE2\x80\xA6" /* what a path that kept only its end begins with */

int belongs_generation(const struct process *process, const struct process_id *ancestor)
{
	if (!ancestor->pid)
		return -1;
	if (process_id_equal(&process->id, ancestor))
		return 0;
	for (int i = 0; i < process->n_ancestors && i < PROCESS_ANCESTORS_MAX; i++)
		if (process_id_equal(&process->ancestors[i].id, ancestor))
			return i + 1;
	return -1;
}

/* --- does a process fit a claim? --- */

/* An answer to one of the three questions; unknown is neither yes nor no. */
enum answer { UNKNOWN, NO, YES };

static enum answer descends_from_claimer(const struct service *claim, const struct process *process)
{
	/* pids of another boot name other processes */
	if (!claim->same_boot || claim->claimer.pid == 0)
		return UNKNOWN;
	if (belongs_generation(process, &claim->claimer) >= 0)
		return YES;
	return process->n_ancestors > 0 ? NO : UNKNOWN;
}

static enum answer shares_session(const struct service *claim, const struct process *process)
{
	if (!claim->same_boot || claim->sid == 0 || process->sid == 0)
		return UNKNOWN;
	return claim->sid == process->sid ? YES : NO;
}

static enum answer works_below(const struct service *claim, const struct process *process)
{
	const char *cwd = process->cwd;
	size_t n = claim->cwd ? strlen(claim->cwd) : 0;

	if (n == 0 || cwd[0] == '\0')
		return UNKNOWN;
	if (strcmp(cwd, claim->cwd) == 0)
		return YES;
	if (strncmp(cwd, PATH_CUT, strlen(PATH_CUT)) == 0)
		return UNKNOWN; /* its beginning, which would tell, was cut off */
	while (n > 0 && claim->cwd[n - 1] == '/')
		n--; /* "/" becomes "", which everything is below */
	if (strncmp(cwd, claim->cwd, n) != 0)
		return NO;
	return cwd[n] == '/' || cwd[n] == '\0' ? YES : NO;
}

bool belongs_to_claim(const struct service *claim, const struct process *process)
{
	enum answer answers[] = {
		descends_from_claimer(claim, process),
		shares_session(claim, process),
		works_below(claim, process),
	};
	bool any_known = false;

	if (process->uid == PROCESS_UID_UNKNOWN || process->uid != claim->uid)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		if (answers[i] == YES)
			return true;
		any_known |= answers[i] == NO;
	}
	return !any_known;
}

/* --- whose is it that was not named? --- */

enum belongs_nearness belongs_nearness(const struct belongs_asker *asker,
				       const struct belongs_basis *basis)
{
	int generation = belongs_generation(asker->process, &basis->process);
	bool same_directory = *basis->cwd && strcmp(basis->cwd, asker->cwd) == 0;

	if (basis->left)
		return same_directory ? BELONGS_BY_DIRECTORY_LEFT : BELONGS_NOT;
	if (generation > 0)
		return (enum belongs_nearness)generation;
	if (basis->sid && basis->sid == asker->process->sid)
		return BELONGS_BY_SID;
	if (*basis->tty && strcmp(basis->tty, asker->tty) == 0)
		return BELONGS_BY_TERMINAL;
	return same_directory ? BELONGS_BY_DIRECTORY : BELONGS_NOT;
}

bool belongs_is_nearest(struct belongs_nearest *nearest, enum belongs_nearness near)
{
	if (near == BELONGS_NOT || near > nearest->near)
		return false;
	if (near < nearest->near)
		nearest->n = 0;
	nearest->near = near;
	nearest->n++;
	return true;
}
