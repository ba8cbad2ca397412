/* SPDX-License-Identifier: MIT */
#include "view/view.h"

#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/procfs.h"
#include "reconcile/status.h"

/* --- processes --- */

static void add_ancestry(struct json_object *o, const struct why_holder *h)
{
	const struct process *process = &h->process;
	struct json_object *ancestry = json_add_array(o, "ancestry");

	for (int i = 0; i < process->n_ancestors && i < PROCESS_ANCESTORS_MAX; i++) {
		struct json_object *ancestor = json_append_object(ancestry);

		json_add_int(ancestor, "pid", process->ancestors[i].id.pid);
		json_add_text(ancestor, "comm", process->ancestors[i].comm);
		json_add_text(ancestor, "runs", *h->ancestors_run[i] ? h->ancestors_run[i] : NULL);
		json_add_known(ancestor, "endedAt", process->ancestors[i].ended_at);
	}
}

struct json_object *view_holder(const struct why_holder *h, uid_t viewer)
{
	const struct process *process = &h->process;
	const struct holder *holder = h->holding.holder;
	struct json_object *o = json_object_new_object(), *fds;
	const struct process_ancestor *launcher;
	char words[LAUNCHER_WORDS_SIZE];
	bool may = user_may_see(viewer, process->uid);

	json_add_int(o, "pid", process->id.pid);
	json_add_known(o, "startTime", procfs_start_unix(&process->id));
	json_add_int(o, "startTicks", (int64_t)process->id.start_ticks);
	json_add_text(o, "comm", process->comm);
	json_add_text(o, "cmdline", h->cmdline);
	json_add_text(o, "runs", *h->runs ? h->runs : NULL);
	json_add_text(o, "exe", may ? process->exe : NULL);
	json_add_text(o, "cwd", may ? process->cwd : NULL);
	json_add_text(o, "user", h->user);
	json_add(o, "uid",
		 process->uid == PROCESS_UID_UNKNOWN ? NULL : json_object_new_int64(process->uid));
	fds = json_add_array(o, "fds");
	for (int i = 0; i < holder->n_fds && i < INVENTORY_HOLDER_FDS; i++)
		json_append(fds, json_object_new_int(holder->fds[i]));
	json_add_text(o, "via", h->holding.via);
	json_add_known(o, "since", h->holding.socket->since);
	add_ancestry(o, h);
	launcher = process_left_behind_by(process);
	json_add_text(o, "leftBehindBy", launcher ? launcher_words(launcher, words) : NULL);
	json_add_text(o, "unit", h->cgroup.unit);
	json_add_text(o, "container", h->cgroup.container);
	json_add_text(o, "forwardsFor", h->forwards && !h->forward.own ? h->forward.engine : NULL);
	json_add_text(o, "state", process_state_name(h->state));
	return o;
}

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

/* --- sockets --- */

struct json_object *view_socket(const struct inventory *inv, const struct socket_row *row)
{
	struct json_object *o = json_object_new_object();
	bool own = row->netns == inventory_own_netns(inv);
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
