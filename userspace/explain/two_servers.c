/* SPDX-License-Identifier: MIT */
#include "explain/two_servers.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "explain/holder.h"
#include "reconcile/belongs.h"

#define SERVER_SIZE 64
#define ROWS_MAX    64 /* sockets of one port that are looked through */

/* --- one server or two --- */

static bool are_siblings(const struct process *a, const struct process *b)
{
	return strcmp(a->comm, b->comm) == 0 && a->n_ancestors && b->n_ancestors &&
	       process_id_equal(&a->ancestors[0].id, &b->ancestors[0].id);
}

/* A master and its worker; or children whose parent runs what they run, where they run it. */
static bool are_workers(const struct process *a, const struct process *b, uint16_t port)
{
	if (belongs_generation(a, &b->id) > 0 || belongs_generation(b, &a->id) > 0)
		return true;
	return are_siblings(a, b) && strcmp(a->comm, a->ancestors[0].comm) == 0 &&
	       strcmp(a->cwd, b->cwd) == 0;
}

/* The two that docker starts for a published port, one for each family. */
static bool are_forwarders(const struct process *a, const struct process *b, uint16_t port)
{
	return are_siblings(a, b) && engine_forward_find(a, port, &(struct engine_forward){ 0 });
}

static bool have_one_server(const struct inventory *inv, const struct socket_row *a,
			    const struct socket_row *b,
			    bool (*are_one)(const struct process *a, const struct process *b,
					    uint16_t port))
{
	struct process left, right;

	if (!a->n_holders || !b->n_holders ||
	    process_id_equal(&a->holders[0].id, &b->holders[0].id))
		return true;
	if (!inventory_describe(inv, &a->holders[0].id, &left) ||
	    !inventory_describe(inv, &b->holders[0].id, &right))
		return false;
	return are_one(&left, &right, a->port);
}

static const char *name_server(const struct inventory *inv, const struct socket_row *row,
			       char ret[SERVER_SIZE])
{
	char comm[PROCESS_COMM_SIZE] = "";

	inventory_process_name(inv, &row->holders[0].id, comm);
	snprintf(ret, SERVER_SIZE, "%s (pid %d)", *comm ? comm : "a process",
		 row->holders[0].id.pid);
	return ret;
}

/* --- one for IPv4, one for IPv6 --- */

static bool serves_ipv4(const struct socket_row *row)
{
	return row->family == AF_INET ||
	       (row->v6only_known && !row->v6only && net_addr_is_wildcard(row->family, &row->addr));
}

static bool is_for_localhost(const struct socket_row *row)
{
	return net_addr_is_wildcard(row->family, &row->addr) ||
	       net_addr_is_loopback(row->family, &row->addr);
}

static bool warn_of_split(const struct inventory *inv, const struct socket_row *const *rows,
			  size_t n, char ret[TWO_SERVERS_WARNING_SIZE])
{
	const struct socket_row *four = NULL, *six = NULL;
	char left[SERVER_SIZE], right[SERVER_SIZE];

	for (size_t i = 0; i < n; i++) {
		if (!is_for_localhost(rows[i]))
			continue;
		if (rows[i]->family == AF_INET)
			four = four ? four : rows[i];
		else if (!serves_ipv4(rows[i]))
			six = six ? six : rows[i];
	}
	if (!four || !six || have_one_server(inv, four, six, are_forwarders))
		return false;
	snprintf(ret, TWO_SERVERS_WARNING_SIZE,
		 "two servers share port %u: %s on IPv4 and %s on IPv6; \"localhost\" may reach "
		 "either",
		 four->port, name_server(inv, four, left), name_server(inv, six, right));
	return true;
}

/* --- SO_REUSEPORT --- */

/* Only SO_REUSEPORT lets two sockets listen on one address. */
static bool have_one_address(const struct socket_row *a, const struct socket_row *b)
{
	return a->family == b->family && a->dev == b->dev &&
	       memcmp(&a->addr, &b->addr, sizeof(a->addr)) == 0;
}

static bool warn_of_sharing(const struct inventory *inv, const struct socket_row *const *rows,
			    size_t n, char ret[TWO_SERVERS_WARNING_SIZE])
{
	char left[SERVER_SIZE], right[SERVER_SIZE];

	for (size_t i = 1; i < n; i++) {
		const struct socket_row *first = rows[0];

		/* the first socket of the address stands for those that its server opened */
		for (size_t k = 0; !have_one_address(first, rows[i]); k++)
			first = rows[k];
		if (first == rows[i] || have_one_server(inv, first, rows[i], are_workers))
			continue;
		snprintf(ret, TWO_SERVERS_WARNING_SIZE,
			 "two servers share port %u with SO_REUSEPORT: %s and %s; a connection "
			 "reaches either by chance",
			 first->port, name_server(inv, first, left),
			 name_server(inv, rows[i], right));
		return true;
	}
	return false;
}

bool two_servers_warning(const struct inventory *inv, uint32_t netns, uint16_t protocol,
			 uint16_t port, char ret[TWO_SERVERS_WARNING_SIZE])
{
	const struct socket_row *rows[ROWS_MAX];
	size_t n = netns && protocol != IPPROTO_UDP
			   ? inventory_by_port(inv, netns, port, rows, ARRAY_SIZE(rows))
			   : 0;
	size_t listening = 0;

	ret[0] = '\0';
	for (size_t i = 0; i < n && i < ARRAY_SIZE(rows); i++)
		if (rows[i]->state == SOCKET_LISTEN)
			rows[listening++] = rows[i];
	return warn_of_split(inv, rows, listening, ret) ||
	       warn_of_sharing(inv, rows, listening, ret);
}

const char *two_servers_warning_of_row(struct port_warning *w, const struct inventory *inv,
				       const struct socket_row *row)
{
	if (row->protocol == IPPROTO_UDP)
		return NULL;
	if (w->port != row->port)
		two_servers_warning(inv, row->netns, row->protocol, row->port, w->text);
	w->port = row->port;
	return w->text;
}
