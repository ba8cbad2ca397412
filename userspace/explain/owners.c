/* SPDX-License-Identifier: MIT */
#include "explain/owners.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

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
	row->netns = f->place.netns;
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

static int by_cookie(const void *left, const void *right)
{
	const struct socket_row *a = left, *b = right;

	return (a->cookie > b->cookie) - (a->cookie < b->cookie);
}

int why_list_rows(const struct inventory *inv, uint32_t netns, uint16_t port,
		  const struct socket_row ***ret, size_t *ret_n)
{
	const struct socket_row *first;
	size_t n = inventory_by_port(inv, netns, port, &first, 1);

	*ret = calloc(n + 1, sizeof(struct socket_row *));
	if (!*ret)
		return -ENOMEM;
	*ret_n = inventory_by_port(inv, netns, port, *ret, n);
	return 0;
}

const struct socket_row *why_find_known(const struct why_known *k, const struct bind_owner *o)
{
	struct socket_row key = { .cookie = o->cookie };
	const struct socket_row *row = NULL;

	if (o->cookie && k->n_dumped)
		row = bsearch(&key, k->dumped, k->n_dumped, sizeof(key), by_cookie);
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
		qsort(k->dumped, k->n_dumped, sizeof(*k->dumped), by_cookie);
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
