/* SPDX-License-Identifier: MIT */
#include "api/lock_asker.h"

#include <string.h>

#include "api/state.h"
#include "base/procfs.h"
#include "base/user.h"
#include "reconcile/belongs.h"
#include "reconcile/lasting.h"

static int refuse_parent(struct request *r)
{
	return request_fail(r, OUTCOME_BAD_REQUEST,
			    "whoever ran pd has ended: nobody would hold the lock");
}

static void read_argv(const struct process_id *id, char ret[LASTING_ARGV_SIZE], void *user_data)
{
	procfs_argv(id, ret, LASTING_ARGV_SIZE);
}

static void find_successor(struct lock_asker *a)
{
	int i = lasting_ancestor(&a->peer, read_argv, NULL);

	a->short_lived = i != 0;
	if (i > 0 && (procfs_describe(a->peer.ancestors[i].id.pid, &a->successor) ||
		      !process_id_equal(&a->successor.id, &a->peer.ancestors[i].id)))
		a->successor = (struct process){ 0 };
}

/*
 * An orphan's parent is init or another reaper, whose the lock would be for ever.  It is told by
 * its session, which a child shares with the parent that started it, unless it leads one itself.
 */
static int find_parent(struct request *r, struct lock_asker *a)
{
	if (!a->peer.n_ancestors || procfs_describe(a->peer.ancestors[0].id.pid, &a->owner) ||
	    !process_id_equal(&a->owner.id, &a->peer.ancestors[0].id))
		return refuse_parent(r);
	if (a->owner.sid != a->peer.sid && a->peer.sid != a->peer.id.pid)
		return refuse_parent(r);
	find_successor(a);
	return 0;
}

int lock_owner_read(struct request *r, const struct param *p, const struct param_value *value,
		    void *ret)
{
	*(bool *)ret = strcmp(value->text, "parent") == 0;
	if (*(bool *)ret || strcmp(value->text, "caller") == 0)
		return 0;
	return request_fail(r, OUTCOME_BAD_REQUEST,
			    "%s \"%.32s\" is neither \"caller\" nor \"parent\"", p->name,
			    value->text);
}

int lock_holder_read(struct request *r, const struct param *p, const struct param_value *value,
		     void *ret)
{
	const char *text = value->text;

	if (!*text || strlen(text) > LOCK_HOLDER_MAX)
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "a holder's name has 1 to %d bytes; write one like myapp:web",
				    LOCK_HOLDER_MAX);
	for (const char *c = text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return request_fail(r, OUTCOME_BAD_REQUEST,
					    "a holder's name has no control characters; write one "
					    "like myapp:web");
	*(const char **)ret = text;
	return 0;
}

int lock_asker_find(struct request *r, struct lock_asker *a)
{
	if (!r->pid || procfs_describe(r->pid, &a->peer))
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "the daemon does not see your process (it lives in another pid "
				    "namespace, or has ended): nobody would hold the lock");
	if (!a->cwd)
		a->cwd = a->peer.cwd;
	if (a->of_parent)
		return find_parent(r, a);
	a->owner = a->peer;
	return 0;
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
static int service_of(struct request *r, const struct lock_asker *a, char ret[IDENTITY_MAX + 1])
{
	const struct service_filter all = { .status = -1 };
	struct search search = { .asker = { &a->peer, "", a->cwd },
				 .uid = r->uid,
				 .nearest.near = BELONGS_NOT };
	int fault = registry_for_each_service(r->api->config.registry, &all, consider, &search);

	strcpy(ret, search.nearest.n == 1 ? search.id : "");
	return fault;
}

int lock_asker_holder(struct request *r, const struct lock_asker *a, char ret[LOCK_HOLDER_MAX + 1])
{
	const char *given = a->holder ? a->holder : a->on_behalf;
	char program[IDENTITY_PART_MAX + 1];
	int fault;

	if (given) {
		strcpy(ret, given);
		return 0;
	}
	fault = service_of(r, a, ret);
	if (fault || *ret)
		return fault;
	identity_part_from(a->program ? a->program : a->owner.comm, program);
	snprintf(ret, LOCK_HOLDER_MAX + 1, "%s:%s", user_name(r->uid), program);
	return 0;
}
