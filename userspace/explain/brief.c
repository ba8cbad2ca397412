/* SPDX-License-Identifier: MIT */
/* Two servers on one port: no error tells of it, and a browser meets the wrong one. */
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "explain/explain.h"

#define SERVER_SIZE 64
#define ROWS_MAX    64 /* sockets of one port that are looked through */

static bool serves_ipv4(const struct socket_row *row)
{
	return row->family == AF_INET ||
	       (row->v6only_known && !row->v6only && net_addr_is_wildcard(row->family, &row->addr));
}

static bool is_for_localhost(const struct socket_row *row)
{
	static const struct net_addr loopback6 = { { [15] = 1 } };

	if (net_addr_is_wildcard(row->family, &row->addr))
		return true;
	return row->family == AF_INET ? row->addr.bytes[0] == 127
				      : !memcmp(&row->addr, &loopback6, sizeof(loopback6));
}

static const char *name_server(const struct inventory *inv, const struct socket_row *row, char *ret)
{
	char comm[PROCESS_COMM_SIZE] = "";

	if (row->n_holders)
		inventory_process_name(inv, &row->holders[0].id, comm);
	if (row->n_holders)
		snprintf(ret, SERVER_SIZE, "%s (pid %d)", *comm ? comm : "a process",
			 row->holders[0].id.pid);
	else
		snprintf(ret, SERVER_SIZE, "a hidden process");
	return ret;
}

/* One server that opens both by itself, or two children that one parent made for it (docker-proxy),
 * are as it should be. */
static bool are_one_server(const struct inventory *inv, const struct process_id *a,
			   const struct process_id *b)
{
	struct process left, right;

	if (process_id_equal(a, b))
		return true;
	return inventory_describe(inv, a, &left) && inventory_describe(inv, b, &right) &&
	       !strcmp(left.comm, right.comm) && left.n_ancestors && right.n_ancestors &&
	       process_id_equal(&left.ancestors[0].id, &right.ancestors[0].id) &&
	       why_forward_find(&left, &(struct why_forward){ 0 });
}

bool why_split_warning(const struct inventory *inv, uint32_t netns, uint16_t protocol,
		       uint16_t port, char *ret)
{
	const struct socket_row *rows[ROWS_MAX], *four = NULL, *six = NULL;
	size_t n = netns && protocol != IPPROTO_UDP
			   ? inventory_by_port(inv, netns, port, rows, ARRAY_SIZE(rows))
			   : 0;
	char left[SERVER_SIZE], right[SERVER_SIZE];

	*ret = '\0';
	for (size_t i = 0; i < n && i < ARRAY_SIZE(rows); i++) {
		if (rows[i]->state != SOCKET_LISTEN || !is_for_localhost(rows[i]))
			continue;
		if (rows[i]->family == AF_INET)
			four = four ? four : rows[i];
		else if (!serves_ipv4(rows[i]))
			six = six ? six : rows[i];
	}
	if (!four || !six || !four->n_holders || !six->n_holders ||
	    are_one_server(inv, &four->holders[0].id, &six->holders[0].id))
		return false;
	snprintf(ret, WHY_WARNING_SIZE,
		 "two servers share port %u: %s on IPv4 and %s on IPv6; \"localhost\" may reach "
		 "either",
		 port, name_server(inv, four, left), name_server(inv, six, right));
	return true;
}
