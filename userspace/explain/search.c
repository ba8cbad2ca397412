/* SPDX-License-Identifier: MIT */
#include "explain/owners.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/procfs.h"
#include "base/quota.h"

/* --- the kernel's table, again --------------------------------------------------------------- */

int why_walk_now(struct explainer *x, const struct why_facts *f, struct bind_table *ret)
{
	const struct bindtable_question q = {
		.protocol = f->question.protocol,
		.port = f->question.port,
		.pid = f->netns.pid,
		.family = f->question.family,
		.addr = f->question.addr,
	};

	/* without a process in that namespace it would be the daemon's own */
	if (!f->netns.own && !q.pid)
		return -ESRCH;
	return bindtable_read(x->kernel, &q, ret);
}

/*
 * The addresses of a socket and of its file are given again as soon as they are free; a cookie
 * never is.  One that had none may have got one since.
 */
static bool is_same_socket(const struct bind_owner *now, const struct bind_owner *then)
{
	return now->id == then->id && now->file_id == then->file_id &&
	       (!then->cookie || now->cookie == then->cookie);
}

static const struct bind_owner *find_listed(const struct bind_table *table,
					    const struct bind_owner *owner)
{
	for (size_t i = 0; i < table->n_owners; i++)
		if (is_same_socket(&table->owners[i], owner))
			return &table->owners[i];
	return NULL;
}

/*
 * Keeps the owners that are still there.  Of a socket that is gone nothing can be found any more,
 * and the address of its file may be that of another file by now.  A reference that is gone a
 * moment later did not last: somebody who walks through all files takes one for as long as he
 * looks.
 */
static size_t keep_present(struct explainer *x, struct why_facts *f, struct why_owner **owners,
			   size_t n)
{
	struct bind_table table;
	size_t kept = 0;

	if (why_walk_now(x, f, &table))
		return 0;
	for (size_t i = 0; i < n; i++) {
		const struct bind_owner *now = find_listed(&table, &owners[i]->bind);

		if (!now)
			continue;
		if (now->file_refs && now->file_refs < owners[i]->bind.file_refs)
			owners[i]->bind.file_refs = now->file_refs;
		owners[kept++] = owners[i];
	}
	if (kept) /* which an event does not carry, and which lasts as long as one of them */
		f->table.bucket = table.bucket;
	bindtable_deinit(&table);
	return kept;
}

/* --- now ------------------------------------------------------------------------------------- */

/* Rows borrow their holders from the table, which the search for file references may have changed.
 */
static void borrow_anew(struct why_facts *f, const struct why_known *k, struct why_owner *o)
{
	struct socket_row *row = &f->rows[o - f->owners];
	const struct socket_row *now;

	if (!o->row)
		return;
	now = why_find_known(k, &o->bind);
	row->n_holders = now ? now->n_holders : 0;
	row->holders = now ? now->holders : NULL;
	row->complete = now && now->complete;
}

static int search_now(struct explainer *x, struct why_facts *f, struct why_owner *const *owners,
		      size_t n)
{
	struct why_known k = { .inv = f->inv };
	int r = why_find_file_refs(x, owners, n);

	if (!r)
		r = inventory_rows_of_port(f->inv, f->netns.inode, f->question.port, &k.rows,
					   &k.n_rows);
	for (size_t i = 0; !r && i < f->n_owners; i++)
		borrow_anew(f, &k, &f->owners[i]);
	free(k.rows);
	return r ? r : why_find_holders(x, f, owners, n);
}

/* --- then ------------------------------------------------------------------------------------ */

int why_keep_holders(struct why_facts *f)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n_owners; i++)
		n += f->rows[i].n_holders;
	f->then = calloc(n + 1, sizeof(*f->then));
	if (!f->then)
		return -ENOMEM;
	n = 0;
	for (size_t i = 0; i < f->n_owners; i++) {
		struct socket_row *row = &f->rows[i];

		if (row->n_holders)
			memcpy(f->then + n, row->holders, row->n_holders * sizeof(*f->then));
		row->holders = f->then + n;
		n += row->n_holders;
	}
	return 0;
}

/*
 * Did it hold the socket then, although a look finds no descriptor of it now?  Not if others
 * account for every reference, nor if events alone had told of it (a child's copy that was closed
 * at once) and it is alive: the socket is still there, so it has not been closed since.
 */
static bool held_it_then(const struct holder *then, bool explained)
{
	return !explained && (then->n_fds || procfs_stage(&then->id) != PROCESS_RUNS);
}

/* What a look at the holders says a moment later; `now` is the table's row, or NULL. */
static void correct_holders(struct why_facts *f, const struct why_owner *o,
			    const struct socket_row *now)
{
	struct socket_row *row = &f->rows[o - f->owners];
	struct holder *then = row->holders;
	uint32_t found = 0;
	size_t kept = 0;

	for (size_t i = 0; i < row->n_holders; i++) {
		const struct holder *seen = socket_holder(now, &then[i].id);

		if (seen && seen->n_fds)
			found += seen->fd_count;
	}
	for (size_t i = 0; i < row->n_holders; i++) {
		const struct holder *seen = socket_holder(now, &then[i].id);

		if (seen && seen->n_fds)
			then[kept++] = *seen;
		else if (held_it_then(&then[i], o->bind.file_refs && found >= o->bind.file_refs))
			then[kept++] = then[i];
	}
	row->n_holders = kept;
}

static int look_at_holders(struct explainer *x, struct why_facts *f, struct why_owner **owners,
			   size_t *n)
{
	struct why_known k = { .inv = f->inv };
	int r = inventory_look_at_port(x->inventory, f->netns.inode, f->question.port);

	if (!r)
		r = inventory_rows_of_port(f->inv, f->netns.inode, f->question.port, &k.rows,
					   &k.n_rows);
	if (r)
		return r;
	/* whose socket vanished during the look: nothing that was not seen proves anything */
	*n = keep_present(x, f, owners, *n);
	for (size_t i = 0; i < *n; i++)
		if (owners[i]->row)
			correct_holders(f, owners[i], why_find_known(&k, &owners[i]->bind));
	free(k.rows);
	return 0;
}

/* --- how often ------------------------------------------------------------------------------- */

static bool may_search(struct why_searches *s, uid_t uid, struct share *user)
{
	const struct quota_limit *limit = quota_limit(QUOTA_SEARCHES);
	bool exempt = uid == 0 || uid == geteuid();
	uint64_t machine = limit->machine - (exempt ? 0 : limit->reserved);
	int64_t now_s = (int64_t)(clock_us(CLOCK_MONOTONIC) / 1000000);

	share_settle(&s->machine, now_s, limit->machine_s);
	share_settle(user, now_s, limit->per_user_s);
	return user->used < (int64_t)limit->per_user &&
	       share_allows(user, &s->machine, (int64_t)machine);
}

static int search_within_budget(struct explainer *x, struct why_facts *f,
				struct why_owner *const *owners, size_t n)
{
	struct why_searches *s = &x->searches;
	struct share *user = share_of(s->users, WHY_SEARCHERS_MAX, ++s->turn, f->viewer, 0);
	/* not by the clock: whoever has the processor meanwhile is not charged to the user */
	uint64_t began = clock_us(CLOCK_THREAD_CPUTIME_ID);
	int64_t took;
	int r;

	f->left_out = !may_search(s, f->viewer, user);
	if (f->left_out) {
		f->unsearched = true;
		f->left_out_in_row = ++s->left_out;
		return 0;
	}
	f->left_out_in_row = s->left_out;
	s->left_out = 0;
	r = why_find_file_refs(x, owners, n);
	if (!r)
		r = why_find_holders(x, f, owners, n);
	took = (int64_t)(clock_us(CLOCK_THREAD_CPUTIME_ID) - began);
	s->machine.used += took;
	user->used += took;
	return r;
}

/* Its process was ending then, and still is: nobody else is to be looked for yet. */
static bool is_being_closed(const struct why_owner *o)
{
	return o->row && !o->row->n_holders && o->row->leaving.pid &&
	       procfs_alive(&o->row->leaving);
}

static int search_then(struct explainer *x, struct why_facts *f, struct why_owner *const *owners,
		       size_t n)
{
	struct why_owner *searched[WHY_BLOCKING_MAX];
	size_t kept = 0, unknown = 0;
	int r;

	for (size_t i = 0; i < n; i++)
		unknown += why_owner_is_open(owners[i]) && !is_being_closed(owners[i]);
	memcpy(searched, owners, n * sizeof(struct why_owner *));
	n = keep_present(x, f, searched, n);
	r = n ? look_at_holders(x, f, searched, &n) : 0;
	f->unsearched = unknown && !n;
	for (size_t i = 0; i < n; i++)
		if (why_owner_is_open(searched[i]) && !is_being_closed(searched[i]))
			searched[kept++] = searched[i];
	return r || !kept ? r : search_within_budget(x, f, searched, kept);
}

int why_search(struct explainer *x, struct why_facts *f, struct why_owner *const *owners, size_t n)
{
	return f->question.caller.pid ? search_then(x, f, owners, n) : search_now(x, f, owners, n);
}
