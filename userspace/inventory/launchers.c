/* SPDX-License-Identifier: MIT */
#include "inventory/launchers.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/procfs.h"

#define ENDS_FIRST 8 /* a launcher with a few servers */

/* One process below one launcher. */
struct launcher_link {
	struct launcher *launcher;
	struct proc *proc;
	struct launcher_link *prev, *next;
};

struct launcher {
	struct proc_key key;
	struct launcher_link *below; /* never empty */
	bool tracked;
	struct launcher *new_prev, *new_next; /* on table.new_launchers while it is not tracked */
	UT_hash_handle hh;
};

static struct proc_key key_of(const struct process_id *id)
{
	return (struct proc_key){ .start_ticks = id->start_ticks, .pid = (uint64_t)id->pid };
}

static struct process_id id_of(const struct launcher *l)
{
	return (struct process_id){ .pid = (pid_t)l->key.pid, .start_ticks = l->key.start_ticks };
}

static struct launcher *find(const struct table *t, const struct process_id *id)
{
	struct proc_key key = key_of(id);
	struct launcher *l;

	HASH_FIND(hh, t->launchers, &key, sizeof(key), l);
	return l;
}

static void ask_for_exit(const struct table *t, const struct launcher *l, bool track)
{
	const struct kernel_source *kernel = t->kernel;
	struct process_id id = id_of(l);
	int r = kernel->track_exit ? kernel->track_exit(kernel->user_data, &id, track) : 0;

	if (r && kernel->not_tracked)
		kernel->not_tracked(&id, r);
}

/* --- what is to be remembered ---------------------------------------------------------------- */

/* Without memory a later daemon is not told. */
static void add_end(struct table *t, const struct process_id *server)
{
	struct launcher_ends *ends = &t->launcher_ends;

	if (ends->n == ends->size) {
		size_t size = ends->size ? 2 * ends->size : ENDS_FIRST;
		struct process_id *servers = reallocarray(ends->servers, size, sizeof(*servers));

		if (!servers)
			return;
		ends->servers = servers;
		ends->size = size;
	}
	ends->servers[ends->n++] = *server;
}

static void note_end(struct table *t, struct proc *proc, uint8_t n_failed)
{
	proc->n_failed = n_failed;
	add_end(t, &proc->process.id);
}

static uint8_t count_failed(const struct process *p)
{
	uint8_t n = 0;

	for (size_t i = 0; i < p->n_ancestors; i++) {
		const struct process_ancestor *a = &p->ancestors[i];

		n += a->sid && a->sid == p->sid && a->ended_at && a->exit_code;
	}
	return n;
}

/* --- lifetime -------------------------------------------------------------------------------- */

static struct launcher *get(struct table *t, const struct process_id *id)
{
	struct launcher *l = find(t, id);

	if (l)
		return l;
	l = calloc(1, sizeof(*l));
	if (!l)
		return NULL;
	l->key = key_of(id);
	HASH_ADD(hh, t->launchers, key, sizeof(l->key), l);
	if (!l->hh.tbl) {
		free(l);
		return NULL;
	}
	DL_APPEND2(t->new_launchers, l, new_prev, new_next);
	return l;
}

static void forget(struct table *t, struct launcher *l)
{
	if (l->tracked)
		ask_for_exit(t, l, false);
	else
		DL_DELETE2(t->new_launchers, l, new_prev, new_next);
	HASH_DEL(t->launchers, l);
	free(l);
}

static void leave(struct table *t, struct launcher_link *link)
{
	struct launcher *l = link->launcher;

	DL_DELETE(l->below, link);
	if (!l->below)
		forget(t, l);
}

static void leave_all(struct table *t, struct launcher_link *links, size_t n)
{
	for (size_t i = 0; i < n; i++)
		leave(t, &links[i]);
	free(links);
}

void launchers_unfollow(struct table *t, struct proc *proc)
{
	if (proc->n_failed)
		note_end(t, proc, 0);
	leave_all(t, proc->launchers, proc->n_launchers);
	proc->launchers = NULL;
	proc->n_launchers = 0;
}

/* Init launches everybody and never ends. */
static bool is_launcher(const struct process *p, const struct process_ancestor *a)
{
	return a->id.pid > 1 && a->sid && a->sid == p->sid && !a->ended_at;
}

static size_t count_launchers(const struct process *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n_ancestors; i++)
		n += is_launcher(p, &p->ancestors[i]);
	return n;
}

/* Does it follow just those whom its chain names?  Both are in the order of the chain. */
static bool is_up_to_date(const struct proc *proc)
{
	const struct process *p = &proc->process;
	size_t n = 0;

	for (size_t i = 0; i < p->n_ancestors; i++) {
		struct process_id id;

		if (!is_launcher(p, &p->ancestors[i]))
			continue;
		if (n == proc->n_launchers)
			return false;
		id = id_of(proc->launchers[n++].launcher);
		if (!process_id_equal(&id, &p->ancestors[i].id))
			return false;
	}
	return n == proc->n_launchers;
}

/* Writes links to those whom the chain names; returns how many. */
static uint8_t link_launchers(struct table *t, struct proc *proc, struct launcher_link *ret)
{
	const struct process *p = &proc->process;
	uint8_t n = 0;

	for (size_t i = 0; ret && i < p->n_ancestors; i++) {
		struct launcher *l = NULL;

		if (is_launcher(p, &p->ancestors[i]))
			l = get(t, &p->ancestors[i].id);
		if (!l)
			continue;
		ret[n] = (struct launcher_link){ .launcher = l, .proc = proc };
		DL_APPEND(l->below, &ret[n]);
		n++;
	}
	return n;
}

void launchers_follow(struct table *t, struct proc *proc)
{
	struct launcher_link *before = proc->launchers;
	uint8_t n_before = proc->n_launchers;
	size_t n = count_launchers(&proc->process);
	uint8_t n_failed = count_failed(&proc->process);

	if (n_failed != proc->n_failed)
		note_end(t, proc, n_failed);
	if (is_up_to_date(proc))
		return;
	proc->launchers = n ? calloc(n, sizeof(*proc->launchers)) : NULL;
	proc->n_launchers = link_launchers(t, proc, proc->launchers);
	leave_all(t, before, n_before); /* last: who stays is not let go in between */
}

void launchers_free_all(struct table *t)
{
	struct launcher *l, *next;

	HASH_ITER(hh, t->launchers, l, next) {
		HASH_DEL(t->launchers, l);
		free(l);
	}
	free(t->launcher_ends.servers);
}

/* --- the kernel side ------------------------------------------------------------------------- */

void launchers_track(struct table *t)
{
	struct launcher *l, *next;

	DL_FOREACH_SAFE2(t->new_launchers, l, next, new_next)
	{
		DL_DELETE2(t->new_launchers, l, new_prev, new_next);
		l->tracked = true;
		ask_for_exit(t, l, true);
	}
}

/* --- an end ---------------------------------------------------------------------------------- */

static void note_exit(struct table *t, struct proc *proc, const struct process_id *id,
		      int exit_code, int64_t now)
{
	struct process *p = &proc->process;

	for (size_t i = 0; i < p->n_ancestors; i++) {
		struct process_ancestor *a = &p->ancestors[i];

		if (!process_id_equal(&a->id, id))
			continue;
		a->exit_code = exit_code;
		a->ended_at = now;
	}
	p->ignores_hangup = procfs_ignores_hangup(&p->id);
	for (size_t i = 0; i < proc->n_rows; i++)
		table_note(t, proc->rows[i]);
}

void launchers_note_exit(struct table *t, const struct process_id *id, int exit_code, int64_t now)
{
	struct launcher *l = find(t, id);
	struct launcher_link *link, *next;

	if (!l)
		return;
	if (l->tracked) {
		/* the kernel side forgot it at its exit */
		l->tracked = false;
		DL_APPEND2(t->new_launchers, l, new_prev, new_next);
	}
	/* who has lost it does not follow it any more; the last of them takes it along */
	DL_FOREACH_SAFE(l->below, link, next)
	{
		struct proc *proc = link->proc;

		note_exit(t, proc, id, exit_code, now);
		launchers_follow(t, proc);
	}
}

/*
 * A chain is in order of age.  Those between it and the server may be gone without a trace, and
 * whoever adopted the server is older: the place among those who are left is its own.
 */
void launchers_recall(struct table *t, struct proc *proc, const struct process_ancestor *launcher)
{
	struct process *p = &proc->process;
	size_t at = 0, n = p->n_ancestors;

	while (at < n && p->ancestors[at].id.start_ticks >= launcher->id.start_ticks)
		at++;
	if (at == PROCESS_ANCESTORS_MAX)
		return;
	if (n == PROCESS_ANCESTORS_MAX)
		n--;
	memmove(&p->ancestors[at + 1], &p->ancestors[at], (n - at) * sizeof(*p->ancestors));
	p->ancestors[at] = *launcher;
	p->ancestors[at].sid = p->sid;
	p->n_ancestors = (uint8_t)(n + 1);
	launchers_follow(t, proc);
}
