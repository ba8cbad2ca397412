/* SPDX-License-Identifier: MIT */
#include "coordination/lock_asker.h"

#include <stdio.h>
#include <string.h>

#include "base/procfs.h"
#include "base/user.h"
#include "reconcile/belongs.h"
#include "reconcile/lasting.h"
#include "registry/registry.h"

static void read_argv(const struct process_id *id, char ret[LASTING_ARGV_SIZE], void *user_data)
{
	procfs_argv(id, ret, LASTING_ARGV_SIZE);
}

static bool describe_ancestor(const struct lock_asker *a, int i, struct process *ret)
{
	const struct process_id *id = &a->peer.ancestors[i].id;

	return !procfs_describe(id->pid, ret) && process_id_equal(&ret->id, id);
}

/*
 * An orphan's parent is init or another reaper, whose the lock would be for ever.  It is told by
 * its session, which a child shares with the parent that started it, unless it leads one itself.
 */
static int find_parent(struct lock_asker *a)
{
	int lasting;

	if (!a->peer.n_ancestors || !describe_ancestor(a, 0, &a->owner) ||
	    (a->owner.sid != a->peer.sid && a->peer.sid != a->peer.id.pid))
		return LOCK_ASKER_PARENT_ENDED;
	lasting = lasting_ancestor(&a->peer, read_argv, NULL);
	a->short_lived = lasting != 0;
	if (lasting > 0 && !describe_ancestor(a, lasting, &a->successor))
		a->successor = (struct process){ 0 };
	return LOCK_ASKER_FOUND;
}

/* --- the holder's name --- */

struct search {
	struct belongs_asker asker;
	uid_t uid;
	struct belongs_nearest nearest;
	char id[IDENTITY_MAX + 1];
};

static bool consider(const struct service *s, void *user_data)
{
	struct search *search = user_data;
	struct belongs_basis basis = { .tty = "", .cwd = s->cwd };

	if (s->same_boot) {
		basis.process = s->claimer;
		basis.sid = s->sid;
	}
	if (s->uid == search->uid &&
	    belongs_is_nearest(&search->nearest, belongs_nearness(&search->asker, &basis)))
		identity_bare(s->id, search->id);
	return true;
}

/*
 * The service whose claim comes from the asker's shell or from whoever started that, the nearest
 * first, else from its session, else from its directory.  Where several are equally near it is none
 * of them: not guessed.
 */
static int find_name(struct lock_asker *a, struct registry *registry)
{
	const struct service_filter all = { .status = -1 };
	struct search search = { .asker = { &a->peer, "", a->cwd },
				 .uid = a->uid,
				 .nearest.near = BELONGS_NOT };
	const char *given = a->holder ? a->holder : a->on_behalf;
	char program[IDENTITY_PART_MAX + 1];
	int r = given ? 0 : registry_for_each_service(registry, &all, consider, &search);

	if (given || search.nearest.n == 1) {
		snprintf(a->name, sizeof(a->name), "%s", given ? given : search.id);
		return r;
	}
	identity_part_from(a->program ? a->program : a->owner.comm, program);
	snprintf(a->name, sizeof(a->name), "%s:%s", user_name(a->uid), program);
	return r;
}

int lock_asker_find(struct lock_asker *a, struct registry *registry, pid_t pid)
{
	int r = LOCK_ASKER_FOUND;

	if (!pid || procfs_describe(pid, &a->peer))
		return LOCK_ASKER_UNSEEN;
	if (!a->cwd)
		a->cwd = a->peer.cwd;
	if (a->of_parent)
		r = find_parent(a);
	else
		a->owner = a->peer;
	return r ? r : find_name(a, registry);
}

bool lock_asker_has(const struct lock_asker *a, const struct lock *lock)
{
	if (lock->uid != a->uid)
		return false;
	if (a->holder)
		return strcmp(lock->holder, a->holder) == 0;
	if (lock->by_time && strcmp(lock->holder, a->name) == 0)
		return true;
	return belongs_generation(&a->peer, &lock->process) >= 0 ||
	       (a->on_behalf && strcmp(lock->holder, a->on_behalf) == 0);
}
