/* SPDX-License-Identifier: MIT */
#include "view/socket.h"

#include <net/if.h>
#include <sys/socket.h>

#include "base/user.h"
#include "explain/holder.h"
#include "http/json.h"
#include "http/written.h"
#include "inventory/inventory.h"
#include "tracker/found_socket.h"
#include "view/holder.h"

struct json_object *view_socket(uint32_t own_netns, const struct socket_row *row)
{
	struct json_object *o = json_object_new_object();
	bool own = row->netns == own_netns;
	bool v6only = row->family == AF_INET6 && row->v6only_known;
	char addr[NET_ADDR_STR_SIZE], dev[IF_NAMESIZE];

	json_add_text(o, "proto", net_protocol_name(row->protocol));
	json_add_text(o, "addr", net_addr_format(row->family, &row->addr, addr));
	json_add_int(o, "port", row->port);
	json_add_text(o, "state", socket_state_name(row->state));
	json_add_int(o, "netns", row->netns);
	json_add_bool(o, "ownNetns", own);
	json_add_text(o, "user", user_name(row->uid));
	json_add_known(o, "since", row->since);
	json_add_text(o, "family", row->family == AF_INET6 ? "ipv6" : "ipv4");
	json_add(o, "uid", row->uid == PROCESS_UID_UNKNOWN ? NULL : json_int(row->uid));
	json_add_known(o, "inode", row->inode);
	json_add(o, "cookie", row->cookie ? json_u64_text(row->cookie) : NULL);
	/* no interface of the kernel tells the flags of another process's socket without BPF */
	json_add(o, "reuseaddr", NULL);
	json_add(o, "reuseport", NULL);
	json_add(o, "v6only", v6only ? json_boolean(row->v6only) : NULL);
	json_add_text(o, "dev", net_device_format(row->dev, own, dev));
	json_add_known(o, "timerMs", row->timer_ms);
	return o;
}

/* --- who holds it --- */

static int64_t pid_of_holder(const void *list, size_t i)
{
	return ((const struct holder *)list)[i].id.pid;
}

void view_held(struct written *w, const struct socket_row *row, const char *process)
{
	written_ints(w, "pids", row->n_holders, pid_of_holder, row->holders);
	written_text(w, "process", process);
}

/* --- of the list of all --- */

int view_found_briefly(struct written *w, const struct found_socket *socket)
{
	const struct socket_row *row = socket->row;
	char addr[NET_ADDR_STR_SIZE];

	written_object_begin(w);
	written_text(w, "proto", net_protocol_name(row->protocol));
	written_text(w, "addr", net_addr_format(row->family, &row->addr, addr));
	written_int(w, "port", row->port);
	if (socket->asked_port)
		written_int(w, "askedPort", socket->asked_port);
	written_text(w, "state", socket_state_name(row->state));
	written_int(w, "netns", row->netns);
	written_bool(w, "ownNetns", row->netns == socket->own_netns);
	written_text(w, "user", user_name(row->uid));
	written_known(w, "since", row->since);
	view_held(w, row, socket->process);
	written_text(w, "service", socket->service);
	written_text(w, "status", socket->status);
	return written_object_end(w);
}

struct json_object *view_found(const struct found_socket *socket, uid_t viewer)
{
	const struct socket_row *row = socket->row;
	struct json_object *o = view_socket(socket->own_netns, row), *pids, *holders;

	json_add_known(o, "askedPort", socket->asked_port);
	pids = json_add_array(o, "pids");
	for (size_t i = 0; i < row->n_holders; i++)
		json_append(pids, json_int(row->holders[i].id.pid));
	json_add_text(o, "process", socket->process);
	holders = json_add_array(o, "holders");
	for (size_t i = 0; i < socket->n_holders; i++)
		json_append(holders, view_holder(&socket->holders[i], viewer));
	json_add_bool(o, "complete", row->complete);
	json_add_text(o, "service", socket->service);
	json_add_text(o, "status", socket->status);
	return o;
}
