/* SPDX-License-Identifier: MIT */
#include "inventory/listing.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/cleanup.h"

static const struct sockdiag_query queries[] = {
	{ AF_INET, IPPROTO_TCP, SOCKDIAG_LISTEN | SOCKDIAG_BOUND_INACTIVE, 0 },
	{ AF_INET6, IPPROTO_TCP, SOCKDIAG_LISTEN | SOCKDIAG_BOUND_INACTIVE, 0 },
	{ AF_INET, IPPROTO_UDP, SOCKDIAG_ALL, 0 },
	{ AF_INET6, IPPROTO_UDP, SOCKDIAG_ALL, 0 },
};

bool listing_has(const struct inventory *inv, const struct row *row)
{
	if (row->view.netns != inv->own_netns || row->view.protocol == IPPROTO_UDPLITE)
		return false;
	if (row->view.protocol == IPPROTO_UDP || row->view.state == SOCKET_LISTEN)
		return true;
	return inv->lists_bound_inactive;
}

uint8_t listing_protocol(const struct row *row)
{
	return row->view.protocol == IPPROTO_UDP ? IPPROTO_UDP : IPPROTO_TCP;
}

static void track_cookie(const struct kernel_source *kernel, uint64_t cookie)
{
	int r = kernel->track_socket(kernel->user_data, cookie);

	if (r && kernel->not_tracked)
		kernel->not_tracked(NULL, r);
}

void listing_track(const struct inventory *inv, struct row *row)
{
	const struct kernel_source *kernel = &inv->kernel;

	if (!kernel->track_socket)
		return;
	if (!row->tracked)
		track_cookie(kernel, row->view.cookie);
	row->tracked = true;
	/* MPTCP: one of the two is tracked, and which one ends is the kernel's choice */
	if (row->alias && !row->alias->both_tracked) {
		track_cookie(kernel, row->view.cookie);
		track_cookie(kernel, row->alias->cookie);
		row->alias->both_tracked = true;
	}
}

static int add_listed(struct listing *l, const struct sockdiag_socket *socket, struct row **ret)
{
	struct table *t = l->inv->table;
	struct socket_row facts = {
		.cookie = socket->cookie,
		.inode = socket->inode,
		.netns = l->inv->own_netns,
		.protocol = socket->protocol,
		.family = socket->family,
		.addr = socket->addr,
		.port = socket->port,
		.seen = l->now,
	};
	int r = table_add_row(t, &facts, ret);

	if (r)
		return r;
	listing_track(l->inv, *ret); /* hidden holders, kernel sockets */
	if (!l->inv->no_iterator)
		table_unsettle(t, *ret);
	return 0;
}

static int merge(const struct sockdiag_socket *socket, void *user_data)
{
	struct listing *l = user_data;
	struct table *t = l->inv->table;
	struct row *row;
	int r;

	if (socket->port == 0 || socket->cookie == 0)
		return 0; /* a UDP socket that was never bound */
	r = table_match(t, socket->cookie, socket->inode, socket->protocol, &row);
	if (!r && !row)
		r = add_listed(l, socket, &row);
	if (r)
		return r;
	/* else a pass or an event told, and that is newer than a message that was prepared ahead */
	if (row->read_ns < l->inv->reading_ns && row->view.state != socket->state) {
		row->view.state = socket->state;
		table_note(t, row);
	}
	row->read_ns = l->inv->reading_ns;
	row->view.dev = socket->dev;
	row->view.uid = socket->uid;
	row->view.cgroup_id = socket->cgroup_id;
	if (socket->v6only_known) {
		row->view.v6only = socket->v6only;
		row->view.v6only_known = true;
	}
	return 0;
}

void listing_deinit(struct listing *l)
{
	sockdiag_free(l->own);
}

int listing_next(struct listing *l, bool *ret_more)
{
	bool more;
	int r = l->own ? 0 : sockdiag_open(&l->own);

	if (!r && !l->is_asked)
		r = sockdiag_begin(l->own, &queries[l->query]);
	r = r ?: sockdiag_next(l->own, merge, l, &more);
	if (r)
		return r;
	l->is_asked = more;
	l->query += !more;
	*ret_more = l->query < ARRAY_SIZE(queries);
	return 0;
}
