/* SPDX-License-Identifier: MIT */
/* The processes of the table: who they are, which rows name them, and when they are forgotten. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/cleanup.h"
#include "base/procfs.h"
#include "inventory/launchers.h"
#include "inventory/table.h"

#define ROWS_FIRST 2 /* most servers have one socket for each address family */

enum { IDLE_ALIVE = 0, IDLE_GONE = 1 };

static const size_t idle_max[] = {
	[IDLE_ALIVE] = TABLE_IDLE_MAX,
	[IDLE_GONE] = TABLE_IDLE_GONE,
};

static struct proc_key key_of(const struct process_id *id)
{
	return (struct proc_key){ .start_ticks = id->start_ticks, .pid = (uint64_t)id->pid };
}

enum process_stage table_stage(const struct table *t, const struct process_id *id)
{
	return t->kernel->stage ? t->kernel->stage(t->kernel->user_data, id) : procfs_stage(id);
}

struct proc *table_proc(const struct table *t, const struct process_id *id)
{
	struct proc_key key = key_of(id);
	struct proc *proc;

	HASH_FIND(hh, t->procs, &key, sizeof(key), proc);
	return proc;
}

/* --- lifetime -------------------------------------------------------------------------------- */

static void proc_free(struct table *t, struct proc *proc)
{
	proc_untrack(t, proc);
	proc_unwant_look(t, proc);
	HASH_DEL(t->procs, proc);
	launchers_unfollow(t, proc);
	free(proc->rows);
	free(proc);
}

static int idle_list(const struct proc *proc)
{
	return proc->exited ? IDLE_GONE : IDLE_ALIVE;
}

static void idle_remove(struct table *t, struct proc *proc)
{
	int which = idle_list(proc);

	DL_DELETE2(t->idle[which], proc, idle_prev, idle_next);
	t->n_idle[which]--;
}

static void idle_append(struct table *t, struct proc *proc)
{
	int which = idle_list(proc);

	DL_APPEND2(t->idle[which], proc, idle_prev, idle_next);
	if (++t->n_idle[which] <= idle_max[which])
		return;
	proc = t->idle[which];
	idle_remove(t, proc);
	proc_free(t, proc);
}

int table_get_proc(struct table *t, const struct process_id *id, struct proc **ret)
{
	struct proc *proc = table_proc(t, id);

	if (!proc) {
		proc = calloc(1, sizeof(*proc));
		if (!proc)
			return -ENOMEM;
		proc->key = key_of(id);
		proc->process.id = *id;
		proc->process.uid = PROCESS_UID_UNKNOWN;
		HASH_ADD(hh, t->procs, key, sizeof(proc->key), proc);
		if (!proc->hh.tbl) {
			free(proc);
			return -ENOMEM;
		}
		idle_append(t, proc);
	}
	*ret = proc;
	return 0;
}

int proc_link(struct table *t, struct proc *proc, struct row *row, uint32_t *ret_link)
{
	if (proc->n_rows == proc->rows_size) {
		uint32_t size = proc->rows_size ? 2 * proc->rows_size : ROWS_FIRST;
		struct row **rows = reallocarray(proc->rows, size, sizeof(*rows));

		if (!rows)
			return -ENOMEM;
		proc->rows = rows;
		proc->rows_size = size;
	}
	if (proc->n_rows == 0)
		idle_remove(t, proc);
	*ret_link = proc->n_rows;
	proc->rows[proc->n_rows++] = row;
	if (proc->n_rows == 1)
		launchers_follow(t, proc);
	return 0;
}

/* The last row takes the place: a server of 20,000 sockets closes them in any order. */
void proc_unlink(struct table *t, struct proc *proc, uint32_t link)
{
	struct row *last = proc->rows[--proc->n_rows];
	struct holder *holder = row_holder(last, &proc->process.id);

	proc->rows[link] = last;
	if (holder)
		holder->link = link;
	if (process_id_equal(&last->view.binder, &proc->process.id))
		last->binder_link = link;
	if (proc->n_rows > 0)
		return;
	if (proc->exited)
		launchers_unfollow(t, proc);
	idle_append(t, proc);
}

void proc_set_exited(struct table *t, struct proc *proc)
{
	bool idle = proc->n_rows == 0;

	proc_unwant_look(t, proc);
	/* The kernel side forgot it at its exit, unless our request came after that. */
	if (proc->tracked_here)
		proc_untrack(t, proc);
	proc->tracked = false;
	if (proc->exited)
		return;
	if (idle) {
		idle_remove(t, proc);
		launchers_unfollow(t, proc);
	}
	proc->exited = true;
	if (idle)
		idle_append(t, proc);
}

void proc_want_look(struct table *t, struct proc *proc)
{
	if (proc->look_wanted || proc->exited)
		return;
	proc->look_wanted = true;
	DL_APPEND2(t->looks, proc, look_prev, look_next);
}

void proc_unwant_look(struct table *t, struct proc *proc)
{
	if (!proc->look_wanted)
		return;
	proc->look_wanted = false;
	DL_DELETE2(t->looks, proc, look_prev, look_next);
}

void table_track_id(const struct table *t, const struct process_id *id, bool track)
{
	const struct kernel_source *kernel = t->kernel;
	int r = kernel->track_process ? kernel->track_process(kernel->user_data, id, track) : 0;

	if (r && kernel->not_tracked)
		kernel->not_tracked(id, r);
}

void proc_track(struct table *t, struct proc *proc)
{
	if (proc->tracked || proc->exited || !t->kernel->track_process)
		return;
	table_track_id(t, &proc->process.id, true);
	proc->tracked = true;
	proc->tracked_here = true;
}

void proc_untrack(struct table *t, struct proc *proc)
{
	if (!proc->tracked)
		return;
	table_track_id(t, &proc->process.id, false);
	proc->tracked = false;
	proc->tracked_here = false;
	proc->untracked_once = true;
}

/* --- who they are ---------------------------------------------------------------------------- */

/* How many ancestors both name alike, from the nearest on. */
static size_t common_ancestors(const struct process *a, const struct process *b)
{
	size_t n = 0;

	while (n < a->n_ancestors && n < b->n_ancestors &&
	       process_id_equal(&a->ancestors[n].id, &b->ancestors[n].id))
		n++;
	return n;
}

/*
 * A chain changes only when an ancestor dies and its child moves up to a reaper: then the newer
 * chain goes on with somebody whom the older one names further up, or with init, which a long chain
 * was cut before.  The older one says more.
 */
static bool chain_is_continued(const struct process *older, const struct process *newer)
{
	size_t n = common_ancestors(older, newer);

	if (n == newer->n_ancestors)
		return true;
	if (n == older->n_ancestors)
		return false;
	if (newer->ancestors[n].id.pid == 1)
		return true;
	for (size_t i = n + 1; i < older->n_ancestors; i++)
		if (process_id_equal(&older->ancestors[i].id, &newer->ancestors[n].id))
			return true;
	return false;
}

static void keep_chain(struct process *now, const struct process *older)
{
	size_t n = chain_is_continued(older, now) ? older->n_ancestors
						  : common_ancestors(older, now);

	if (n > now->n_ancestors || n == older->n_ancestors)
		now->n_ancestors = (uint8_t)n;
	memcpy(now->ancestors, older->ancestors, n * sizeof(*now->ancestors));
}

void proc_describe(struct table *t, struct proc *proc, const struct process *newer)
{
	struct process older = proc->process, *now = &proc->process;

	*now = *newer;
	now->id = older.id;
	if (proc->described) {
		if (!now->cgroup_id)
			now->cgroup_id = older.cgroup_id;
		if (!now->sid)
			now->sid = older.sid;
		if (!now->exe[0])
			memcpy(now->exe, older.exe, sizeof(now->exe));
		if (!now->cwd[0])
			memcpy(now->cwd, older.cwd, sizeof(now->cwd));
		now->ignores_hangup = older.ignores_hangup;
		now->asked_to_end_at = older.asked_to_end_at;
		keep_chain(now, &older);
	}
	proc->described = true;
	if (proc->n_rows > 0)
		launchers_follow(t, proc);
}

void proc_inherit(struct proc *child, const struct proc *parent)
{
	struct process *c = &child->process;
	const struct process *p = &parent->process;
	size_t n = p->n_ancestors;

	if (child->described || !parent->described)
		return;
	*c = *p;
	c->id = (struct process_id){ .pid = (pid_t)child->key.pid,
				     .start_ticks = child->key.start_ticks };
	c->ppid = p->id.pid;
	if (n > PROCESS_ANCESTORS_MAX - 1)
		n = PROCESS_ANCESTORS_MAX - 1;
	memcpy(c->ancestors + 1, p->ancestors, n * sizeof(*c->ancestors));
	c->ancestors[0] = (struct process_ancestor){ .id = p->id, .sid = p->sid };
	memcpy(c->ancestors[0].comm, p->comm, sizeof(p->comm));
	c->n_ancestors = (uint8_t)(n + 1);
	child->described = true;
}

bool proc_describe_from_procfs(struct table *t, struct proc *proc)
{
	struct process now;

	if (procfs_describe(proc->process.id.pid, &now) ||
	    !process_id_equal(&now.id, &proc->process.id))
		return false;
	proc_describe(t, proc, &now);
	return true;
}
