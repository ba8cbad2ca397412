/* SPDX-License-Identifier: MIT */
#include "explain/facts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/procfs.h"
#include "base/text.h"
#include "explain/environment.h"
#include "explain/owners.h"
#include "explain/process.h"
#include "explain/two_servers.h"
#include "explain/words.h"
#include "provenance/behalf.h"
#include "reconcile/status.h"

#define BACKED_MAX	64 /* holders behind whom somebody is looked for; commands name fewer */
#define BESIDE_ROWS_MAX 64 /* sockets of the port, looked through for the other protocol */

void why_facts_deinit(struct why_facts *f)
{
	bindtable_deinit(&f->table);
	free(f->owners);
	free(f->rows);
	free(f->others);
	for (size_t i = 0; i < f->n_holders; i++)
		why_holder_deinit(&f->holders[i]);
	free(f->holders);
	free(f->found);
	free(f->then);
	free(f->claim);
	service_list_free(&f->claims);
	for (size_t i = 0; i < f->n_failures; i++)
		free(f->failures[i]);
}

/* --- other namespaces --- */

/* Keeps the rows of other namespaces and of the question's protocol. */
static size_t keep_elsewhere(const struct why_facts *f, const struct socket_row **rows, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (rows[i]->netns != f->netns.inode &&
		    why_same_table(rows[i], f->question.protocol))
			rows[kept++] = rows[i];
	return kept;
}

static void show(struct why_facts *f, const struct socket_row *const *elsewhere, size_t n)
{
	f->n_shown = f->answer.n_blocking;
	memcpy(f->shown, f->answer.blocking, f->n_shown * sizeof(*f->shown));
	if (f->answer.verdict != WHY_OTHER_NETNS || !f->others)
		return;
	f->n_others = n < WHY_BLOCKING_MAX ? n : WHY_BLOCKING_MAX;
	f->n_shown = f->n_others;
	for (size_t i = 0; i < f->n_others; i++) {
		why_owner_of_row(elsewhere[i], &f->others[i]);
		f->shown[i] = &f->others[i];
	}
}

/* --- the verdict --- */

static void explain(struct why_facts *f, const struct socket_row *const *elsewhere, size_t n)
{
	why_explain(&f->question, f->walked ? &f->table : NULL, f->owners, f->n_owners, elsewhere,
		    n, &f->environment, &f->answer);
}

/*
 * Its process has ended, and the kernel has not taken it apart yet.  Of a refusal it was so then,
 * whatever is left of it now.
 */
static bool is_being_left(const struct why_facts *f, const struct why_owner *o)
{
	if (!o->row || o->row->n_holders || !o->row->leaving.pid ||
	    o->file_ref.kind != FILE_REF_NONE)
		return false;
	if (o->bind.kernel) /* made for a process, but never the process's own */
		return false;
	return f->question.caller.pid || procfs_alive(&o->row->leaving);
}

static const struct process_id *oldest_process(const struct why_owner *o)
{
	if (o->row && o->row->n_holders)
		return &o->row->holders[0].id;
	return o->file_ref.process.pid ? &o->file_ref.process : NULL;
}

/* Descriptors explain it, but none that /proc/PID/fd shows. */
static void note_private_tables(struct why_owner *o)
{
	size_t n = o->row ? o->row->n_holders : 0;

	if (!n || o->file_ref.kind != FILE_REF_NONE)
		return;
	for (size_t i = 0; i < n; i++)
		if (!o->row->holders[i].private_only)
			return;
	o->file_ref.kind = FILE_REF_THREAD;
	o->file_ref.process = o->row->holders[0].id;
}

static void look_at_holder(const struct why_facts *f, struct why_owner *o)
{
	bool being_left = is_being_left(f, o);
	const struct process_id *id;

	if (being_left)
		o->file_ref.process = o->row->leaving;
	id = oldest_process(o);
	if (!id)
		return;
	note_private_tables(o);
	o->kin = why_kin_of(f->inv, o->row, id);
	o->holder_state = procfs_state(id);
	o->holder_frozen = why_process_is_frozen(id);
	o->holder_exiting = why_process_is_exiting(id);
	/* Of a refusal: who is ending a moment later was most likely alive and well then. */
	if (f->question.caller.pid && !being_left &&
	    (!procfs_alive(id) || (o->holder_exiting && o->holder_state != 'Z'))) {
		o->holder_exiting = false;
		o->holder_state = 0;
	}
	o->holder_exiting = o->holder_exiting || being_left;
	o->same_program = !process_id_equal(id, &f->question.caller) &&
			  why_process_same(f->inv, id, &f->question.caller, &f->caller_arguments);
}

static void leave_out_short_waits(struct why_owner *const *owners, size_t n)
{
	const struct process_id *waiting[WHY_BLOCKING_MAX];
	bool wait_on[WHY_BLOCKING_MAX];

	for (size_t i = 0; i < n; i++)
		waiting[i] = owners[i]->holder_state == 'D' ? oldest_process(owners[i]) : NULL;
	why_process_wait_on(waiting, n, wait_on);
	for (size_t i = 0; i < n; i++)
		if (waiting[i] && !wait_on[i])
			owners[i]->holder_state = 'S';
}

/* The owners in the way, with everything that can be found out about them. */
static int look_closer(struct explainer *x, struct why_facts *f)
{
	struct why_owner *blocking[WHY_BLOCKING_MAX];
	size_t n = f->answer.n_blocking;
	int r = 0;

	for (size_t i = 0; i < n; i++)
		blocking[i] = &f->owners[f->answer.blocking[i] - f->owners];
	if (n)
		r = why_search(x, f, blocking, n);
	for (size_t i = 0; !r && i < n; i++)
		look_at_holder(f, blocking[i]);
	if (!r)
		leave_out_short_waits(blocking, n);
	return r;
}

int why_facts_judge(struct explainer *x, struct why_facts *f)
{
	_cleanup_free_ const struct socket_row **elsewhere = NULL;
	size_t n = 0;
	int r;

	f->others = calloc(WHY_BLOCKING_MAX, sizeof(*f->others));
	if (!f->others)
		return -ENOMEM;
	why_environment_read(f, &f->environment);
	explain(f, NULL, 0);
	if (!f->answer.n_blocking)
		why_environment_read_rest(f, &f->environment);
	r = look_closer(x, f);
	if (!r) /* last: its rows are borrowed until the table changes */
		r = inventory_rows_of_port(f->inv, 0, f->question.port, &elsewhere, &n);
	if (r)
		return r;
	n = keep_elsewhere(f, elsewhere, n);
	explain(f, elsewhere, n);
	show(f, elsewhere, n);
	return 0;
}

/* --- around it --- */

static bool is_held_by(const struct holding *holdings, size_t n, const struct process_id *id)
{
	for (size_t i = 0; i < n; i++)
		if (process_id_equal(&holdings[i].holder->id, id))
			return true;
	return false;
}

/* Adds those who hold sockets that listen, or that do not. */
static int add_holdings(struct why_facts *f, bool listening, struct holding *list, size_t *n)
{
	_cleanup_free_ struct holding *more = NULL;
	const struct socket_row *rows[WHY_BLOCKING_MAX];
	size_t n_rows = 0, n_more;
	int r;

	for (size_t i = 0; i < f->n_shown; i++)
		if ((why_row(f, f->shown[i])->state == SOCKET_LISTEN) == listening)
			rows[n_rows++] = why_row(f, f->shown[i]);
	r = inventory_holdings(rows, n_rows, false, &more, &n_more);
	for (size_t i = 0; !r && i < n_more; i++)
		if (!is_held_by(list, *n, &more[i].holder->id))
			list[(*n)++] = more[i];
	return r;
}

/* The processes behind the sockets shown: by descriptor, then those with another file reference. */
static int list_holdings(struct why_facts *f, struct holding **ret, size_t *ret_n)
{
	size_t size = f->n_shown + 1, n = 0;
	struct holding *all;
	int r;

	for (size_t i = 0; i < f->n_shown; i++)
		size += why_row(f, f->shown[i])->n_holders;
	all = *ret = calloc(size, sizeof(*all));
	if (!all)
		return -ENOMEM;
	r = add_holdings(f, true, all, &n);
	f->n_foremost = n;
	if (!r)
		r = add_holdings(f, false, all, &n);
	for (size_t i = 0; !r && i < f->n_shown; i++) {
		const struct file_ref *file_ref = &f->shown[i]->file_ref;

		if (!file_ref->process.pid || is_held_by(all, n, &file_ref->process))
			continue;
		f->file_refs[i].id = file_ref->process;
		all[n++] = (struct holding){ &f->file_refs[i], why_row(f, f->shown[i]),
					     why_file_ref_text(file_ref->kind) };
	}
	f->n_foremost = f->n_foremost ? f->n_foremost : n;
	*ret_n = n;
	return r;
}

static int add_holders(struct explainer *x, struct why_facts *f)
{
	_cleanup_free_ struct holding *list = NULL;
	struct why_reader reader = { .inv = f->inv,
				     .registry = x->registry,
				     .kernel = x->kernel,
				     .viewer = f->viewer,
				     .netns = f->netns.inode,
				     .port = f->question.port,
				     .lineage = x->lineage };
	unsigned n_ended = 0;
	size_t n = 0;
	int r = list_holdings(f, &list, &n);

	if (r)
		return r;
	f->holders = calloc(n + 1, sizeof(*f->holders));
	if (!f->holders)
		return -ENOMEM;
	if (!f->question.caller.pid)
		ancestry_read(f->caller, &reader.asker);
	for (size_t i = 0; !r && i < n; i++) {
		r = why_holder_read(f->inv, &list[i], f->viewer, &f->holders[i]);
		f->n_holders++;
		if (i < BACKED_MAX)
			why_holder_read_backing(&f->holders[i], &reader, i == 0, &n_ended);
	}
	return r;
}

static void add_user(uid_t uid, char ret[USER_NAME_SIZE])
{
	const char *name = user_name(uid);

	snprintf(ret, USER_NAME_SIZE, "%s", name ? name : "");
}

/* What the remedies of this verdict name. */
static void add_what_is_named(struct why_facts *f)
{
	enum why_verdict v = f->answer.verdict;
	struct process process;

	if (f->n_shown)
		add_user(why_row(f, f->shown[0])->uid, f->their_user);
	add_user(f->question.uid, f->your_user);
	if (why_verdict_has(v, NEEDS_TRACER) && f->n_holders)
		f->tracer = why_process_tracer(&f->holders[0].process.id);
	if (why_verdict_has(v, NEEDS_RESERVED))
		f->reserved_known = why_environment_read_reserved(f, f->reserved,
								  sizeof(f->reserved));
	if (why_verdict_has(v, NEEDS_PROGRAM) && f->question.caller.pid &&
	    inventory_describe(f->inv, &f->question.caller, &process) &&
	    text_is_shell_word(process.exe) && user_may_see(f->viewer, process.uid))
		snprintf(f->caller_program, sizeof(f->caller_program), "%s", process.exe);
}

static const struct process *look_up(const struct process_id *id, void *facts)
{
	return inventory_process(((const struct why_facts *)facts)->inv, id);
}

/* Of the claim's sockets and somebody else's. */
static void warn_of_stranger(struct why_facts *f)
{
	const struct service *claim = f->claims.services;
	const struct socket_row *rows[WHY_BLOCKING_MAX];
	const struct status_sources sources = { look_up, behalf_find, f, user_name };
	struct status_verdict verdict;
	size_t n;

	if (*f->warning || !f->claims.n || claim->port != f->question.port)
		return;
	n = inventory_by_port(f->inv, f->netns.inode, claim->port, rows, ARRAY_SIZE(rows));
	reconcile_service(claim, rows, n < ARRAY_SIZE(rows) ? n : ARRAY_SIZE(rows), &sources,
			  claim->updated_at, RECONCILE_STALE_AGE_S, &verdict);
	status_warning(&verdict, &sources, f->warning);
}

/* TCP and UDP have ports of their own: who asks about one may have met the other. */
static void add_beside(struct why_facts *f)
{
	const struct socket_row *rows[BESIDE_ROWS_MAX];
	size_t n = inventory_by_port(f->inv, f->netns.inode, f->question.port, rows,
				     BESIDE_ROWS_MAX);
	uint16_t other = f->question.protocol == IPPROTO_UDP ? IPPROTO_TCP : IPPROTO_UDP;

	for (size_t i = 0; i < n && i < BESIDE_ROWS_MAX && !f->beside; i++) {
		if (!socket_serves(rows[i]) || !why_same_table(rows[i], other))
			continue;
		f->beside = true;
		if (!rows[i]->n_holders)
			continue;
		f->beside_pid = rows[i]->holders[0].id.pid;
		inventory_process_name(f->inv, &rows[i]->holders[0].id, f->beside_name);
	}
}

int why_facts_finish(struct explainer *x, struct why_facts *f)
{
	int r = add_holders(x, f);

	if (r)
		return r;
	add_what_is_named(f);
	if (f->netns.inode && why_verdict_has(f->answer.verdict, IS_FREE))
		add_beside(f);
	why_netns_find_entry(x, f);
	two_servers_warning(f->inv, f->netns.inode, f->question.protocol, f->question.port,
			    f->warning);
	warn_of_stranger(f);
	return 0;
}

/* --- the claim --- */

int why_facts_read_claim(struct explainer *x, struct why_facts *f)
{
	bool refused = f->question.caller.pid; /* then the name was kept */
	uint16_t port = refused ? f->question.port : why_asked_port(&f->question);
	const struct service *claim;
	char id[IDENTITY_MAX + 1];
	int r;

	if (refused ? !f->claim : !f->netns.own) /* claims are about this namespace */
		return 0;
	r = registry_service_by_port(x->registry, port, service_list_add, &f->claims);
	claim = f->claims.services;
	if (!r && f->claims.n && !f->claim)
		f->claim = strdup(
			registry_shown_id(x->registry, claim->id, claim->uid, f->viewer, id));
	if (r == OUTCOME_NO)
		return 0;
	return r || f->claim ? r : -ENOMEM;
}

/* --- now --- */

/* 0 also where there is nothing to walk: `walked` tells. */
static int read_table(struct explainer *x, struct why_facts *f)
{
	int r = why_walk_now(x, f, &f->table);

	f->walk_error = r;
	/* a process that moved to another namespace since, or ended, shows the wrong table */
	f->walked = !r && (f->netns.own || f->table.netns == f->netns.inode);
	if (f->walked)
		f->netns.settings = f->table.netns_settings;
	/* a new namespace may have the number of one that has ended */
	if (f->remembered_netns && f->netns.settings.cookie &&
	    f->remembered_netns != f->netns.settings.cookie)
		f->question.error = 0;
	return r == -ENOMEM ? r : 0;
}

/* Rows of the table's own, by which the walk's owners are told: of connections it has none. */
static bool knows_every_owner(const struct why_facts *f, const struct why_known *k)
{
	for (size_t i = 0; i < f->table.n_owners; i++)
		if (!why_find_known(k, &f->table.owners[i]))
			return false;
	return true;
}

/*
 * netlink answers for the own namespace only, and goes through every socket of the machine: it is
 * asked where the walk, or the table, does not answer.  Asking gives each socket a cookie, by which
 * the two are joined: hence a second walk.
 */
static int dump_owners(struct explainer *x, struct why_facts *f, struct why_known *k)
{
	int r = inventory_query_port(x->inventory, f->question.protocol, f->question.port,
				     &k->dumped, &k->n_dumped);

	if (r)
		return r;
	why_sort_known(k);
	bindtable_deinit(&f->table);
	return f->walked ? read_table(x, f) : 0;
}

static int read_owners(struct explainer *x, struct why_facts *f, struct why_known *k)
{
	int r = inventory_rows_of_port(f->inv, f->netns.inode, f->question.port, &k->rows,
				       &k->n_rows);

	if (!r && !f->netns.unreachable)
		r = read_table(x, f);
	if (r || !f->netns.own || (f->walked && knows_every_owner(f, k)))
		return r;
	return dump_owners(x, f, k);
}

int why_facts_gather(struct explainer *x, struct why_facts *f)
{
	_cleanup_free_ const struct socket_row **verified = NULL;
	struct why_known k = { .inv = x->inventory };
	size_t n;
	int r;

	f->inv = x->inventory;
	f->own_netns = inventory_own_netns(f->inv);
	r = why_facts_read_claim(x, f);
	if (!r)
		r = inventory_verified_rows(x->inventory, 0, f->question.port, &verified, &n);
	if (!r)
		r = read_owners(x, f, &k);
	f->question.blind = !f->walked && !f->netns.own;
	if (!r && f->walked)
		r = why_join_walk(f, f->table.owners, f->table.n_owners, &k);
	else if (!r)
		r = why_join_rows(f, &k);
	free(k.dumped);
	free(k.rows);
	if (!r)
		r = why_facts_judge(x, f);
	return r ? r : why_facts_finish(x, f);
}
