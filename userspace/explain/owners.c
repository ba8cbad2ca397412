/* SPDX-License-Identifier: MIT */
#include "explain/owners.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/cleanup.h"

/* Descriptors of one that nobody has looked at: events told that it used the socket. */
#define DESCRIPTORS_TOLD 1

/* MPTCP takes its ports from TCP. */
bool why_same_table(const struct socket_row *row, uint16_t protocol)
{
	if (protocol == IPPROTO_UDP)
		return row->protocol == IPPROTO_UDP;
	return row->protocol == IPPROTO_TCP || row->protocol == NET_PROTOCOL_MPTCP;
}

/* An owner as far as netlink and the table tell. */
void why_owner_of_row(const struct socket_row *row, struct why_owner *ret)
{
	*ret = (struct why_owner){
		.bind = { .id = row->cookie,
			  .cookie = row->cookie,
			  .inode = row->inode,
			  .protocol = row->protocol,
			  .family = row->family,
			  .state = row->state,
			  .addr = row->addr,
			  .v6only = row->v6only,
			  .uid = row->uid,
			  .dev = row->dev,
			  .minisocket = row->state == SOCKET_TIME_WAIT,
			  .mptcp = row->protocol == NET_PROTOCOL_MPTCP },
		.row = row,
		.timer_ms = row->timer_ms,
	};
}

/* What the walk says of an owner is newer and surer than what the table says. */
static void row_of_owner(const struct why_facts *f, const struct bind_owner *o,
			 struct socket_row *row)
{
	row->cookie = o->cookie;
	row->inode = o->inode;
	row->netns = f->netns.inode;
	if (!row->protocol)
		row->protocol = o->mptcp ? NET_PROTOCOL_MPTCP : f->question.protocol;
	row->family = o->family;
	row->state = o->state;
	row->addr = o->addr;
	row->port = f->question.port;
	row->v6only = o->v6only;
	row->v6only_known = true;
	row->dev = o->dev;
	row->uid = o->minisocket ? PROCESS_UID_UNKNOWN : o->uid;
}

int why_by_cookie(const void *left, const void *right)
{
	const struct socket_row *a = left, *b = right;

	return (a->cookie > b->cookie) - (a->cookie < b->cookie);
}

const struct socket_row *why_find_known(const struct why_known *k, const struct bind_owner *o)
{
	struct socket_row key = { .cookie = o->cookie };
	const struct socket_row *row = NULL;

	if (o->cookie && k->n_dumped)
		row = bsearch(&key, k->dumped, k->n_dumped, sizeof(key), why_by_cookie);
	if (!row && o->cookie && k->inv)
		row = inventory_by_cookie(k->inv, o->cookie);
	for (size_t i = 0; !row && o->inode && i < k->n_rows; i++)
		if (k->rows[i]->inode == o->inode)
			row = k->rows[i];
	return row;
}

void why_sort_known(struct why_known *k)
{
	if (k->n_dumped)
		qsort(k->dumped, k->n_dumped, sizeof(*k->dumped), why_by_cookie);
}

static int alloc_owners(struct why_facts *f, size_t n)
{
	f->owners = calloc(n + 1, sizeof(*f->owners));
	f->rows = calloc(n + 1, sizeof(*f->rows));
	if (!f->owners || !f->rows)
		return -ENOMEM;
	f->n_owners = n;
	return 0;
}

int why_join_walk(struct why_facts *f, const struct bind_owner *walked, size_t n,
		  const struct why_known *k)
{
	int r = alloc_owners(f, n);

	for (size_t i = 0; !r && i < n; i++) {
		const struct socket_row *known = why_find_known(k, &walked[i]);

		if (known)
			f->rows[i] = *known;
		row_of_owner(f, &walked[i], &f->rows[i]);
		f->owners[i] = (struct why_owner){ .bind = walked[i],
						   .flags_known = true,
						   .row = known ? &f->rows[i] : NULL,
						   .timer_ms = f->rows[i].timer_ms };
	}
	return r;
}

/* Without a walk: every owner that netlink lists, else what the table has. */
int why_join_rows(struct why_facts *f, const struct why_known *k)
{
	size_t kept = 0;
	int r = alloc_owners(f, k->dumped ? k->n_dumped : k->n_rows);

	for (size_t i = 0; !r && i < f->n_owners; i++) {
		const struct socket_row *row = k->dumped ? &k->dumped[i] : k->rows[i];

		if (!why_same_table(row, f->question.protocol))
			continue;
		f->rows[kept] = *row;
		why_owner_of_row(&f->rows[kept], &f->owners[kept]);
		kept++;
	}
	f->n_owners = r ? 0 : kept;
	return r;
}

/* --- who holds them --- */

/* References to the owner's file that are explained; `told`: also by what events told. */
static uint32_t explained(const struct why_owner *o, bool told)
{
	uint32_t n = 0;

	for (size_t i = 0; o->row && i < o->row->n_holders; i++)
		n += o->row->holders[i].n_fds || !told ? o->row->holders[i].fd_count
						       : DESCRIPTORS_TOLD;
	return o->file_ref.references + (n > o->file_ref.descriptors ? n : o->file_ref.descriptors);
}

/* The walk does not count the reference of a call that sleeps on a closed descriptor. */
static bool is_undetermined(const struct why_owner *o)
{
	bool held = false;

	for (size_t i = 0; o->row && i < o->row->n_holders; i++)
		held = held || o->row->holders[i].n_fds;
	return explained(o, false) < o->bind.file_refs || (!held && o->bind.sleeper);
}

static bool has_open_references(const struct why_owner *o)
{
	return !o->bind.minisocket && !o->bind.kernel && explained(o, true) < o->bind.file_refs;
}

bool why_owner_is_complete(const struct why_owner *o)
{
	if ((o->row && o->row->complete) || o->file_ref.complete)
		return true;
	/* what the walk did not list has references that nobody counted */
	return o->flags_known ? !has_open_references(o) : o->bind.minisocket;
}

bool why_owner_is_open(const struct why_owner *o)
{
	if (o->bind.minisocket || o->bind.kernel || !o->bind.inode)
		return false;
	return has_open_references(o) || !o->row || !o->row->n_holders;
}

const char *why_file_ref_text(enum file_ref_kind kind)
{
	static const char *const texts[] = {
		[FILE_REF_NONE] = NULL,
		[FILE_REF_THREAD] = "a thread with a descriptor table of its own",
		[FILE_REF_ZOMBIE_LEADER] = "threads that outlive their main thread",
		[FILE_REF_IO_URING_FILE] = "a file registered with io_uring",
		[FILE_REF_IO_URING_REQUEST] = "a pending io_uring request",
		[FILE_REF_IN_FLIGHT] = "a message in a Unix socket that nobody has received",
		[FILE_REF_MMAP] = "a memory mapping",
		[FILE_REF_SYSCALL] = "a thread blocked in a call on a closed descriptor",
	};

	return (size_t)kind < ARRAY_SIZE(texts) ? texts[kind] : NULL;
}

/*
 * Everything that holds the file was found, and the table has holders that nobody looked at: it
 * may be others by now.  Those that have descriptors are found again (why_find_holders).
 */
static void doubt_holders(struct why_facts *f, struct why_owner *o)
{
	struct socket_row *row = &f->rows[o - f->owners];
	bool doubtful = false;

	for (size_t i = 0; i < row->n_holders; i++)
		doubtful = doubtful || !row->holders[i].n_fds;
	if (!doubtful || !o->file_ref.complete)
		return;
	row->n_holders = 0;
	row->holders = NULL;
}

int why_find_file_refs(struct explainer *x, struct why_owner *const *owners, size_t n)
{
	struct bind_owner wanted[WHY_BLOCKING_MAX];
	struct why_owner *whose[WHY_BLOCKING_MAX];
	struct file_ref file_refs[WHY_BLOCKING_MAX] = { 0 };
	size_t n_wanted = 0;
	int r;

	for (size_t i = 0; i < n && i < WHY_BLOCKING_MAX; i++) {
		const struct bind_owner *o = &owners[i]->bind;

		if (o->minisocket || o->kernel || !o->file_id || !is_undetermined(owners[i]))
			continue;
		wanted[n_wanted] = owners[i]->bind;
		whose[n_wanted++] = owners[i];
	}
	if (!n_wanted)
		return 0;
	r = inventory_find_file_refs(x->inventory, wanted, n_wanted, file_refs);
	if (r == -EOPNOTSUPP)
		return 0; /* then the answer is not complete, and says so */
	for (size_t i = 0; !r && i < n_wanted; i++)
		whose[i]->file_ref = file_refs[i];
	return r;
}

/* --- descriptors of connections --- */

struct search {
	struct why_owner *wanted[WHY_BLOCKING_MAX];
	size_t n_wanted;
	struct found {
		size_t owner; /* index into wanted */
		struct holder holder;
	} * found;
	size_t n_found, size;
};

static int add_found(struct search *s, size_t owner, const struct process_id *id, int fd)
{
	struct found *found = s->found;
	struct holder *holder = NULL;

	for (size_t i = 0; i < s->n_found; i++)
		if (found[i].owner == owner && process_id_equal(&found[i].holder.id, id))
			holder = &found[i].holder;
	if (!holder) {
		if (array_reserve(s->found, s->size, s->n_found + 1, 16))
			return -ENOMEM;
		s->found[s->n_found] = (struct found){ owner, { .id = *id } };
		holder = &s->found[s->n_found++].holder;
	}
	holder->fd_count++;
	if (holder->n_fds < INVENTORY_HOLDER_FDS)
		holder->fds[holder->n_fds++] = fd;
	return 0;
}

static int visit_descriptor(size_t owner, const struct process_id *id, int fd, void *user_data)
{
	return add_found(user_data, owner, id, fd);
}

static int by_owner_and_age(const void *left, const void *right)
{
	const struct found *a = left, *b = right;

	if (a->owner != b->owner)
		return a->owner < b->owner ? -1 : 1;
	return (a->holder.id.start_ticks > b->holder.id.start_ticks) -
	       (a->holder.id.start_ticks < b->holder.id.start_ticks);
}

static int hand_out(struct why_facts *f, struct search *s)
{
	if (!s->n_found)
		return 0;
	f->found = calloc(s->n_found, sizeof(*f->found));
	if (!f->found)
		return -ENOMEM;
	qsort(s->found, s->n_found, sizeof(*s->found), by_owner_and_age);
	for (size_t i = 0; i < s->n_found; i++) {
		struct why_owner *o = s->wanted[s->found[i].owner];
		struct socket_row *row = &f->rows[o - f->owners];

		f->found[i] = s->found[i].holder;
		if (!row->n_holders)
			row->holders = &f->found[i];
		row->n_holders++;
		o->row = row;
	}
	return 0;
}

int why_find_holders(struct explainer *x, struct why_facts *f, struct why_owner *const *owners,
		     size_t n)
{
	struct bind_owner wanted[WHY_BLOCKING_MAX];
	struct search s = { 0 };
	int r = 0;

	for (size_t i = 0; i < n && i < WHY_BLOCKING_MAX; i++) {
		const struct why_owner *o = owners[i];
		bool held;

		doubt_holders(f, owners[i]);
		held = (o->row && o->row->n_holders) ||
		       (o->file_ref.kind != FILE_REF_NONE && !o->file_ref.descriptors);

		if (held || !o->bind.inode || o->bind.minisocket || o->bind.kernel)
			continue;
		wanted[s.n_wanted] = o->bind;
		s.wanted[s.n_wanted++] = owners[i];
	}
	if (s.n_wanted)
		r = inventory_find_descriptors(x->inventory, wanted, s.n_wanted, visit_descriptor,
					       &s);
	if (!r)
		r = hand_out(f, &s);
	free(s.found);
	return r;
}
