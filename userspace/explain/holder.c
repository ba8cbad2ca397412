/* SPDX-License-Identifier: MIT */
#include "explain/holder.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/procfs.h"
#include "base/text.h"
#include "explain/process.h"
#include "provenance/lineage.h"
#include "registry/runs.h"

#define GROUPS_MAX 64			   /* of a user, looked through for the engine's */
#define TERM_BIT   (1ULL << (SIGTERM - 1)) /* of SigIgn and SigCgt in status */

/* The group "docker" may talk to its daemon. */
static bool is_in_group(uid_t uid, const char *name)
{
	gid_t wanted, groups[GROUPS_MAX];
	const struct passwd *user = getpwuid(uid);
	const struct group *group = user ? getgrnam(name) : NULL;
	int n = GROUPS_MAX;

	if (!group)
		return false;
	wanted = group->gr_gid;
	if (getgrouplist(user->pw_name, user->pw_gid, groups, &n) < 0)
		return false;
	for (int i = 0; i < n; i++)
		if (groups[i] == wanted)
			return true;
	return false;
}

/* --- what else it serves --------------------------------------------------------------------- */

void why_hits_add(struct why_hits *hits, const struct why_hits *from)
{
	hits->more |= from->more;
	for (size_t i = 0; i < from->n; i++) {
		size_t at = 0;

		while (at < hits->n && hits->list[at].pid != from->list[i].pid)
			at++;
		if (at < hits->n)
			continue;
		if (hits->n == WHY_HITS_MAX)
			hits->more = true;
		else
			hits->list[hits->n++] = from->list[i];
	}
}

/* Whoever ends with the holder, and serves other ports. */
struct hit_search {
	const struct why_reader *reader;
	const struct why_holder *holder;
	uint32_t with_run; /* 0 = it is ended alone, or with: */
	bool with_supervisor, with_cgroup;
	struct why_hits *hits;
};

static bool ends_with_holder(const struct hit_search *search, const struct process *process)
{
	const struct process_id *supervisor = &search->holder->supervisor.id;
	const struct process *holder = &search->holder->process;

	if (process_id_equal(&process->id, &holder->id))
		return true;
	if (search->with_run)
		return inventory_run_of(search->reader->inv, &process->id) == search->with_run;
	if (search->with_cgroup)
		return process->cgroup_id && process->cgroup_id == holder->cgroup_id;
	for (size_t i = 0; search->with_supervisor && i < process->n_ancestors; i++)
		if (process_id_equal(&process->ancestors[i].id, supervisor))
			return true;
	return search->with_supervisor && process_id_equal(&process->id, supervisor);
}

static bool add_hit(const struct process *process, void *user_data)
{
	const struct hit_search *search = user_data;
	struct why_hits new = { .n = 1 };
	struct why_hit *hit = &new.list[0];

	if (!ends_with_holder(search, process))
		return true;
	hit->pid = process->id.pid;
	inventory_process_name(search->reader->inv, &process->id, hit->comm);
	hit->n_ports = inventory_served_ports(search->reader->inv, &process->id,
					      search->reader->port, hit->ports, WHY_HIT_PORTS_MAX);
	hit->more_ports = hit->n_ports > WHY_HIT_PORTS_MAX;
	if (hit->more_ports)
		hit->n_ports = WHY_HIT_PORTS_MAX;
	if (hit->n_ports)
		why_hits_add(search->hits, &new);
	return true;
}

/* All processes are gone through only where more than one may end. */
static void find_hits(struct why_holder *h, const struct why_reader *reader)
{
	bool with_run = *h->run_of;
	struct hit_search search = {
		.reader = reader,
		.holder = h,
		.with_run = with_run ? inventory_run_of(reader->inv, &h->process.id) : 0,
		.with_supervisor = h->supervised && h->supervisor.ends_it,
		.with_cgroup = !h->supervised && (*h->cgroup.unit || *h->cgroup.container),
		.hits = &h->hits,
	};

	if (h->forwards || (h->supervised && h->supervisor.listens && !with_run))
		return; /* it goes on, and so does what else it serves */
	if (with_run || search.with_supervisor || search.with_cgroup)
		inventory_for_each_process(reader->inv, add_hit, &search);
	else
		add_hit(&h->process, &search);
}

/* --- the holder ------------------------------------------------------------------------------ */

static bool has_ended(const struct why_reader *reader, const struct process_id *id)
{
	const struct kernel_source *kernel = reader->kernel;

	return (kernel && kernel->stage ? kernel->stage(kernel->user_data, id)
					: procfs_stage(id)) == PROCESS_GONE;
}

int why_holder_read(const struct inventory *inv, const struct holding *holding, uid_t viewer,
		    struct why_holder *ret)
{
	const struct process_id *id = &holding->holder->id;
	struct procfs_facts facts;
	const char *user;
	bool may;

	*ret = (struct why_holder){ .holding = *holding };
	ret->known = inventory_describe(inv, id, &ret->process);
	if (!ret->known)
		ret->process = (struct process){ .id = *id, .uid = PROCESS_UID_UNKNOWN };
	may = user_may_see(viewer, ret->process.uid);
	procfs_facts(id, may, &facts); /* of one that is gone: nothing */
	cgroup_parse(facts.cgroup, &ret->cgroup);
	ret->state = facts.state;
	user = user_name(ret->process.uid);
	snprintf(ret->user, sizeof(ret->user), "%s", user ? user : "");
	ret->cmdline = *facts.cmdline ? strdup(facts.cmdline) : NULL;
	return *facts.cmdline && !ret->cmdline ? -ENOMEM : 0;
}

void why_holder_deinit(struct why_holder *h)
{
	free(h->cmdline);
	free(h->freezer);
}

/* Nothing ends a process by SIGTERM that ignores it, and nobody knows when one that catches it
 * does. */
static void read_signals(struct why_holder *h)
{
	uint64_t ignored = 0, caught = 0;

	why_process_signals(&h->process.id, &ignored, &caught);
	h->ignores_term = ignored & TERM_BIT;
	h->catches_term = caught & TERM_BIT;
}

/* A command line is for its own user's eyes, and root's. */
static void name_programs(struct why_holder *h, uid_t viewer, bool first)
{
	const struct process *process = &h->process;

	if (user_may_see(viewer, process->uid))
		program_runs(&process->id, h->runs);
	for (int i = 0; first && i < process->n_ancestors; i++) {
		const struct process_id *id = &process->ancestors[i].id;

		if (viewer == 0 || user_may_see(viewer, procfs_uid(id->pid)))
			program_runs(id, h->ancestors_run[i]);
	}
}

/* A unit may run a supervisor for many programs, and is stopped only where nobody stops the one. */
static void find_supervisor(struct why_holder *h, const struct why_reader *reader)
{
	const struct supervisor_watched watched = { reader->netns, reader->port, reader->lineage,
						    &reader->asker };
	struct supervisor *s = &h->supervisor;

	/* sshd starts a session for whoever connects: that one comes back, if anybody does */
	h->supervised = h->tunnel.kind != TUNNEL_SSHD &&
			supervisor_find(&h->process, &watched, s) &&
			!(*h->cgroup.unit && s->ends_it);
	if (h->supervised)
		inventory_process_name(reader->inv, &s->id, h->supervisor_comm);
	/* what it runs stands in its command line */
	if (h->supervised && !user_may_see(reader->viewer, s->uid))
		snprintf(s->name, sizeof(s->name), "%s", h->supervisor_comm);
	h->supervisor_carries_asker = h->supervised && ancestry_has(&reader->asker, &s->id);
}

static void find_tunnel(struct why_holder *h, const struct why_reader *reader)
{
	char then[TUNNEL_FORWARD_SIZE] = "";

	if (reader->lineage)
		lineage_forward(reader->lineage, reader->netns, reader->port, then);
	tunnel_find(&h->process, reader->port, then, &h->tunnel);
	/* where nobody moves sessions into scopes of their own: stopped, it would end them all */
	if (h->tunnel.kind == TUNNEL_SSHD)
		h->cgroup.unit[0] = '\0';
	if (!user_may_see(reader->viewer, h->process.uid))
		h->tunnel.forward[0] = h->tunnel.control[0] = '\0';
}

/*
 * A run is ended as a whole: its pd takes the end of one process for a failure, and pd up may start
 * it again.  Not where who is outside of it would start the whole run again.
 */
static void find_run(struct why_holder *h, const struct why_reader *reader)
{
	uint32_t number = inventory_run_of(reader->inv, &h->process.id);
	const struct run *run = number ? registry_run(reader->registry, number) : NULL;

	if (!run || run->uid != reader->viewer || !text_is_shell_word(run->service) ||
	    *h->cgroup.unit ||
	    (h->supervised && inventory_run_of(reader->inv, &h->supervisor.id) != number))
		return;
	identity_bare(run->service, h->run_of);
}

void why_holder_read_backing(struct why_holder *h, const struct why_reader *reader, bool first,
			     unsigned *n_ended)
{
	bool may = user_may_see(reader->viewer, h->process.uid), alone;
	const char *engine = h->cgroup.engine;

	h->ended = has_ended(reader, &h->process.id);
	if (h->ended)
		return;
	if (*n_ended <= WHY_ENDED_MAX)
		name_programs(h, reader->viewer, first);
	if (!engine && h->known)
		h->forwards = engine_forward_find(&h->process, reader->port, &h->forward);
	if (h->forwards)
		engine = h->forward.engine;
	h->runs_engine = engine && is_in_group(reader->viewer, engine);
	if (!engine && h->known && (first || may)) {
		find_tunnel(h, reader);
		find_supervisor(h, reader);
		find_run(h, reader);
	}
	h->carries_asker = ancestry_has(&reader->asker, &h->process.id);
	h->started_by_viewer = h->process.uid == 0 && reader->viewer &&
			       procfs_starter(&h->process.id) == reader->viewer;
	alone = !engine && !*h->cgroup.unit && !h->supervised;
	if (alone && may && h->process.id.pid != 1)
		++*n_ended;
	else if (!first && !h->cgroup.engine && !(may && h->supervised))
		return; /* nobody ends it: what would come of that makes no difference */
	if (*n_ended > WHY_ENDED_MAX && !first)
		return;
	find_hits(h, reader);
	read_signals(h);
	h->freezer = why_process_freezer(&h->process.id, &h->thaw);
}
