/* SPDX-License-Identifier: MIT */
/* Questions about one port that the kernel answers now. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "inventory/bindtable.h"
#include "inventory/internal.h"

#define ANSWER_FIRST 8
#define ANSWER_MAX   (1000 * 1000) /* rows: a port of a busy server has as many connections */

static const uint8_t families[] = { AF_INET, AF_INET6 };
static const uint8_t protocols[] = { IPPROTO_TCP, IPPROTO_UDP };

struct answer {
	struct inventory *inv;
	struct socket_row *rows;
	size_t n, size;
};

/* What only the table knows of it. */
static void fill_from_table(struct socket_row *row, const struct row *known)
{
	row->since = known->view.since;
	row->seen = known->view.seen;
	row->binder = known->view.binder;
	row->binder_sid = known->view.binder_sid;
	row->binder_fate = known->view.binder_fate;
	row->n_holders = known->view.n_holders;
	row->holders = known->view.holders;
	row->complete = known->view.complete;
	row->protocol = known->view.protocol; /* sock_diag lists MPTCP's subflow as TCP */
}

static int add_answer(const struct sockdiag_socket *s, void *user_data)
{
	struct answer *a = user_data;
	/* An MPTCP listener may be known by its own cookie only; the subflow shares its inode. */
	const struct row *known = table_find_socket(a->inv->table, s->cookie, s->inode);
	struct socket_row *row;
	int r = a->n < ANSWER_MAX ? array_reserve(a->rows, a->size, a->n + 1, ANSWER_FIRST)
				  : -E2BIG;

	if (r)
		return r;
	row = &a->rows[a->n++];
	*row = (struct socket_row){
		.cookie = s->cookie,
		.inode = s->inode,
		.netns = a->inv->own_netns,
		.protocol = s->protocol,
		.family = s->family,
		.state = s->state,
		.addr = s->addr,
		.port = s->port,
		.v6only = s->v6only,
		.v6only_known = s->v6only_known,
		.dev = s->dev,
		.uid = s->uid,
		.cgroup_id = s->cgroup_id,
		.timer_ms = s->timer == SOCKDIAG_TIMER_TIMEWAIT ? s->expires_ms : 0,
	};
	if (known)
		fill_from_table(row, known);
	return 0;
}

/* Both families, in all states. */
static int dump_port(struct inventory *inv, uint16_t protocol, uint16_t port, sockdiag_visit visit,
		     void *user_data)
{
	int r = 0;

	for (size_t i = 0; !r && i < ARRAY_SIZE(families); i++) {
		const struct sockdiag_query query = {
			.family = families[i],
			.protocol = (uint8_t)protocol,
			.states = SOCKDIAG_ALL,
			.port = port,
		};

		r = sockdiag_dump(inv->diag, &query, visit, user_data);
	}
	return r;
}

int inventory_query_port(struct inventory *inv, uint16_t protocol, uint16_t port,
			 struct socket_row **ret, size_t *ret_n)
{
	struct answer a = { .inv = inv };
	int r;

	if (port == 0 || (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP))
		return -EINVAL;
	r = dump_port(inv, protocol, port, add_answer, &a);
	if (r) {
		free(a.rows);
		return r;
	}
	*ret = a.rows;
	*ret_n = a.n;
	return 0;
}

/* --- is anybody there? ------------------------------------------------------------------------ */

/* Minisockets (TIME_WAIT, and FIN_WAIT2 that nobody holds) end by themselves: they do not count. */
static int note_owner(const struct sockdiag_socket *s, void *user_data)
{
	if (s->timer != SOCKDIAG_TIMER_TIMEWAIT)
		*(bool *)user_data = true;
	return 0;
}

static int walk_has_owner(struct inventory *inv, uint16_t protocol, uint16_t port, bool *ret)
{
	struct bindtable_question question = { .protocol = protocol, .port = port };
	struct bind_table table;
	int r;

	r = bindtable_read(&inv->kernel, &question, &table);
	if (r)
		return r;
	for (size_t i = 0; i < table.n_owners; i++)
		*ret |= !table.owners[i].minisocket;
	bindtable_deinit(&table);
	return 0;
}

/* Its text, read once for a question, which may be about thousands of ports; NULL = none. */
static const char *read_sysctl(const struct inventory *inv, struct known_sysctl *known,
			       const char *path)
{
	if (known->turn != inv->turn)
		known->is_known = sysctl_file_read(&known->file, path);
	known->turn = inv->turn;
	return known->is_known ? known->file.text : NULL;
}

bool inventory_port_is_reserved(struct inventory *inv, uint16_t port)
{
	const char *range = read_sysctl(inv, &inv->local_range, RESERVED_RANGE_PATH), *list;

	if (range && reserved_in_range(range, port))
		return true;
	list = read_sysctl(inv, &inv->reserved_list, RESERVED_LIST_PATH);
	return list && reserved_in_list(list, port);
}

int inventory_port_is_free(struct inventory *inv, uint16_t port, bool *ret_free)
{
	bool taken = inventory_by_port(inv, inv->own_netns, port, NULL, 0) > 0;

	for (size_t i = 0; i < ARRAY_SIZE(protocols) && !taken; i++) {
		int r = walk_has_owner(inv, protocols[i], port, &taken);

		if (r == -EOPNOTSUPP)
			r = dump_port(inv, protocols[i], port, note_owner, &taken);
		if (r)
			return r;
	}
	*ret_free = !taken;
	return 0;
}
