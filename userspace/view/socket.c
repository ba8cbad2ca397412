/* SPDX-License-Identifier: MIT */
#include "view/socket.h"

#include <net/if.h>
#include <sys/socket.h>

#include "base/user.h"
#include "explain/holder.h"
#include "http/json.h"
#include "http/written.h"
#include "inventory/inventory.h"
#include "tracker/socket_owner.h"
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
	json_add(o, "uid",
		 row->uid == PROCESS_UID_UNKNOWN ? NULL : json_object_new_int64(row->uid));
	json_add_known(o, "inode", row->inode);
	json_add(o, "cookie", row->cookie ? json_u64_text(row->cookie) : NULL);
	/* no interface of the kernel tells the flags of another process's socket without BPF */
	json_add(o, "reuseaddr", NULL);
	json_add(o, "reuseport", NULL);
	json_add(o, "v6only", v6only ? json_object_new_boolean(row->v6only) : NULL);
	json_add_text(o, "dev", net_device_format(row->dev, own, dev));
	json_add_known(o, "timerMs", row->timer_ms);
	return o;
}

/* --- who holds it --- */

int64_t view_pid_of_holding(const void *list, size_t i)
{
	return ((const struct holding *)list)[i].holder->id.pid;
}

struct json_object *view_pids(const struct holding *holdings, size_t n)
{
	struct json_object *pids = json_object_new_array();

	for (size_t i = 0; i < n; i++)
		json_append(pids, json_object_new_int(holdings[i].holder->id.pid));
	return pids;
}

static int64_t pid_of_holder(const void *list, size_t i)
{
	return ((const struct holder *)list)[i].id.pid;
}

void view_held(struct written *w, const struct inventory *inv, const struct socket_row *row)
{
	char comm[PROCESS_COMM_SIZE] = "";

	if (row->n_holders)
		inventory_process_name(inv, &row->holders[0].id, comm);
	written_ints(w, "pids", row->n_holders, pid_of_holder, row->holders);
	written_text(w, "process", comm);
}

/* --- of the list of all --- */

int view_listed_briefly(struct written *w, const struct view_listed *s)
{
	const struct socket_row *row = s->row;
	char addr[NET_ADDR_STR_SIZE];

	written_object_begin(w);
	written_text(w, "proto", net_protocol_name(row->protocol));
	written_text(w, "addr", net_addr_format(row->family, &row->addr, addr));
	written_int(w, "port", row->port);
	if (s->asked_port)
		written_int(w, "askedPort", s->asked_port);
	written_text(w, "state", socket_state_name(row->state));
	written_int(w, "netns", row->netns);
	written_bool(w, "ownNetns", row->netns == inventory_own_netns(s->inv));
	written_text(w, "user", user_name(row->uid));
	written_known(w, "since", row->since);
	view_held(w, s->inv, row);
	written_text(w, "service", s->owner->service);
	written_text(w, "status", s->owner->status);
	return written_object_end(w);
}

static int add_holders(const struct view_listed *s, const struct holding *holdings, size_t n,
		       struct json_object *o)
{
	struct json_object *holders = json_add_array(o, "holders");

	for (size_t i = 0; i < n; i++) {
		_cleanup_(why_holder_deinit) struct why_holder h;
		int fault = why_holder_read(s->inv, &holdings[i], s->viewer, &h);

		if (fault)
			return fault;
		json_append(holders, view_holder(&h, s->viewer));
	}
	return 0;
}

int view_listed_in_full(const struct view_listed *s, struct json_object **ret)
{
	_cleanup_free_ struct holding *holdings = NULL;
	_cleanup_json_ struct json_object *o = NULL;
	char comm[PROCESS_COMM_SIZE] = "";
	size_t n;
	int fault = inventory_holdings(&s->row, 1, false, &holdings, &n);

	if (fault)
		return fault;
	o = view_socket(inventory_own_netns(s->inv), s->row);
	json_add_known(o, "askedPort", s->asked_port);
	json_add(o, "pids", view_pids(holdings, n));
	if (n)
		inventory_process_name(s->inv, &holdings[0].holder->id, comm);
	json_add_text(o, "process", comm);
	fault = add_holders(s, holdings, n, o);
	if (fault)
		return fault;
	json_add_bool(o, "complete", s->row->complete);
	json_add_text(o, "service", s->owner->service);
	json_add_text(o, "status", s->owner->status);
	*ret = TAKE_PTR(o);
	return 0;
}
