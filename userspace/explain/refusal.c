/* SPDX-License-Identifier: MIT */
#include "explain/refusal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "explain/brief.h"
#include "explain/environment.h"
#include "explain/facts.h"
#include "explain/owners.h"
#include "explain/process.h"
#include "explain/words.h"

/* What is kept of the table; of more the oldest, who bound the sockets, are among the first. */
#define ROWS_MAX      16 /* sockets of the port, where the event has no owners */
#define HOLDERS_MAX   64
#define PROCESSES_MAX 16 /* of 1.4 kB each; more of them are described as they are later on */

/* All in one piece: the arrays stand behind it. */
struct refusal {
	struct event event; /* its `process`: the caller, where the table knew it */
	int64_t at;
	char *service; /* NULL = nobody claimed the port */
	size_t bytes;
	size_t n_rows, n_holders, n_processes;
	struct socket_row *rows; /* sorted by cookie, which is that of the owner */
	struct holder *holders;
	struct process *processes;
};

/* --- at its moment --------------------------------------------------------------------------- */

/* The table's rows that count, borrowed from it, and how much of them is kept. */
struct known {
	const struct socket_row *rows[ROWS_MAX];
	uint64_t cookies[ROWS_MAX]; /* by which the owner is known; 0 = as the row is */
	size_t n_rows, n_holders;
	const struct process *processes[PROCESSES_MAX];
	size_t n_processes;
};
_Static_assert(ROWS_MAX >= EVENT_OWNERS_MAX, "a row for each owner");

static void note_process(const struct inventory *inv, const struct process_id *id,
			 struct known *known)
{
	const struct process *process = id->pid ? inventory_process(inv, id) : NULL;

	for (size_t i = 0; i < known->n_processes && process; i++)
		if (known->processes[i] == process)
			return;
	if (process && known->n_processes < PROCESSES_MAX)
		known->processes[known->n_processes++] = process;
}

static void note_row(const struct inventory *inv, const struct socket_row *row, uint64_t cookie,
		     struct known *known)
{
	for (size_t i = 0; i < known->n_rows; i++)
		if (known->rows[i] == row)
			return;
	known->cookies[known->n_rows] = cookie;
	known->rows[known->n_rows++] = row;
	known->n_holders += row->n_holders;
	for (size_t i = 0; i < row->n_holders && i < PROCESSES_MAX; i++)
		note_process(inv, &row->holders[i].id, known);
	note_process(inv, &row->binder, known);
	note_process(inv, &row->leaving, known);
}

static uint16_t port_of(const struct event *e)
{
	return event_is_rewritten(e) ? e->given_port : e->port;
}

/* The rows of the event's owners; where its walk failed, those of the port. */
static int find_known(const struct inventory *inv, const struct event *e, struct known *known)
{
	_cleanup_free_ const struct socket_row **rows = NULL;
	struct why_known k = { .inv = inv };
	bool by_inode = false;
	int r;

	for (size_t i = 0; i < e->n_owners; i++)
		by_inode |= e->owners[i].inode && (!e->owners[i].cookie ||
						   !inventory_by_cookie(inv, e->owners[i].cookie));
	if (by_inode || (!e->n_owners && e->error == EADDRINUSE)) {
		r = inventory_rows_of_port(inv, e->netns, port_of(e), &rows, &k.n_rows);
		if (r)
			return r;
	}
	k.rows = rows;
	for (size_t i = 0; i < e->n_owners; i++) {
		const struct socket_row *row = why_find_known(&k, &e->owners[i]);

		if (row)
			note_row(inv, row, e->owners[i].cookie, known);
	}
	for (size_t i = 0; !e->n_owners && i < k.n_rows && i < ROWS_MAX; i++)
		note_row(inv, rows[i], 0, known);
	return 0;
}

static void copy_known(const struct known *known, struct refusal *to)
{
	size_t n = 0;

	for (size_t i = 0; i < known->n_rows; i++) {
		struct socket_row *row = &to->rows[i];
		size_t all = known->rows[i]->n_holders, left = to->n_holders - n;

		*row = *known->rows[i];
		if (known->cookies[i])
			row->cookie = known->cookies[i];
		row->n_holders = all < left ? all : left;
		row->complete = row->complete && row->n_holders == all;
		if (row->n_holders)
			memcpy(to->holders + n, row->holders,
			       row->n_holders * sizeof(*row->holders));
		row->holders = to->holders + n;
		n += row->n_holders;
	}
	if (known->n_rows)
		qsort(to->rows, known->n_rows, sizeof(*to->rows), why_by_cookie);
	for (size_t i = 0; i < known->n_processes; i++)
		to->processes[i] = *known->processes[i];
}

static struct refusal *alloc_refusal(const struct known *known, const char *service)
{
	size_t holders = known->n_holders < HOLDERS_MAX ? known->n_holders : HOLDERS_MAX;
	size_t name = service ? strlen(service) + 1 : 0;
	size_t bytes = sizeof(struct refusal) + known->n_rows * sizeof(struct socket_row) +
		       holders * sizeof(struct holder) +
		       known->n_processes * sizeof(struct process) + name;
	struct refusal *to = malloc(bytes);

	if (!to)
		return NULL;
	*to = (struct refusal){ .bytes = bytes,
				.n_rows = known->n_rows,
				.n_holders = holders,
				.n_processes = known->n_processes };
	to->rows = (struct socket_row *)(to + 1);
	to->holders = (struct holder *)(to->rows + known->n_rows);
	to->processes = (struct process *)(to->holders + holders);
	to->service = name ? memcpy(to->processes + known->n_processes, service, name) : NULL;
	return to;
}

int refusal_new(const struct inventory *inv, const struct event *event, const char *service,
		int64_t at_unix, struct refusal **ret)
{
	const struct process *caller;
	struct known known = { 0 };
	struct refusal *to;
	int r;

	if (event->n_owners > EVENT_OWNERS_MAX)
		return -EINVAL;
	r = find_known(inv, event, &known);
	if (r)
		return r;
	to = alloc_refusal(&known, service);
	if (!to)
		return -ENOMEM;
	to->event = *event;
	to->at = at_unix;
	caller = inventory_process(inv, &event->actor);
	if (caller)
		to->event.process = *caller;
	copy_known(&known, to);
	*ret = to;
	return 0;
}

void refusal_free(struct refusal *refusal)
{
	free(refusal);
}

const struct event *refusal_event(const struct refusal *refusal)
{
	return &refusal->event;
}

int64_t refusal_at(const struct refusal *refusal)
{
	return refusal->at;
}

const char *refusal_service(const struct refusal *refusal)
{
	return refusal->service;
}

size_t refusal_bytes(const struct refusal *refusal)
{
	return refusal->bytes;
}

/* --- later ----------------------------------------------------------------------------------- */

static void recall_caller(const struct event *e, struct why_facts *f)
{
	f->question = why_question_of_event(e);
	f->caller = e->actor.pid;
	f->caller_arguments = e->arguments;
	f->caller_rights = e->rights;
	memcpy(f->caller_comm, e->comm, sizeof(f->caller_comm));
	f->caller_comm[sizeof(f->caller_comm) - 1] = '\0';
	if (!strcmp(f->caller_comm, INVENTORY_NODE_THREAD))
		inventory_process_name(f->inv, &e->actor, f->caller_comm);
}

/* Named while its process is there to be asked for its cgroup. */
static void recall_program(const struct event *e, struct why_facts *f)
{
	f->by_program = why_verdict_has(f->answer.verdict, BY_PROGRAM);
	if (f->by_program)
		why_process_find_cgroup(&e->actor, e->program_cgroup_id, f->program_cgroup,
					sizeof(f->program_cgroup));
}

/* Who was there may be gone by now, and forgotten by the table. */
static int recall_processes(struct inventory *inv, const struct refusal *from)
{
	int r = from->event.process.id.pid ? inventory_recall_process(inv, &from->event.process)
					   : 0;

	for (size_t i = 0; !r && i < from->n_processes; i++)
		r = inventory_recall_process(inv, &from->processes[i]);
	return r;
}

/* The owners that the event carries are the table of that moment. */
static int recall_table(const struct event *e, struct why_facts *f)
{
	f->table.owners = calloc((size_t)e->n_owners + 1, sizeof(*e->owners));
	if (!f->table.owners)
		return -ENOMEM;
	memcpy(f->table.owners, e->owners, e->n_owners * sizeof(*e->owners));
	f->table.n_owners = e->n_owners;
	f->table.netns = e->netns;
	f->table.stable = true;
	f->walked = true;
	return 0;
}

static int recall_owners(const struct refusal *from, struct why_facts *f)
{
	const struct event *e = &from->event;
	const struct socket_row *rows[ROWS_MAX];
	const struct why_known k = {
		.dumped = from->rows, .n_dumped = from->n_rows, .rows = rows, .n_rows = from->n_rows
	};
	int r;

	for (size_t i = 0; i < from->n_rows; i++)
		rows[i] = &from->rows[i];
	/* an event without owners of a port that is taken: its walk failed, the table remembers */
	if (!e->n_owners && e->error == EADDRINUSE && from->n_rows) {
		f->walk_error = -EOPNOTSUPP;
		r = why_join_rows(f, &k);
	} else {
		r = why_join_walk(f, e->owners, e->n_owners, &k);
		r = r ? r : recall_table(e, f);
	}
	return r ? r : why_keep_holders(f);
}

int why_facts_recall(struct explainer *x, const struct refusal *from, struct why_facts *f)
{
	const struct event *e = &from->event;
	int r;

	f->inv = x->inventory;
	f->viewer = e->uid;
	f->now = from->at;
	f->netns.inode = e->netns;
	f->netns.settings = e->netns_settings;
	f->own_netns = inventory_own_netns(f->inv);
	f->netns.own = e->netns == f->own_netns;
	r = recall_processes(x->inventory, from);
	if (r)
		return r;
	if (!f->netns.own)
		f->netns.pid = why_netns_inhabitant(x, e->netns, &e->actor);
	recall_caller(e, f);
	if (from->service && !(f->claim = strdup(from->service)))
		return -ENOMEM;
	r = why_facts_read_claim(x, f);
	if (!r)
		r = recall_owners(from, f);
	if (!r)
		r = why_facts_judge(x, f);
	if (r)
		return r;
	recall_program(e, f);
	return why_facts_finish(x, f);
}
