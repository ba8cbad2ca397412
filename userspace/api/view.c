/* SPDX-License-Identifier: MIT */
#include "api/view.h"

#include <errno.h>
#include <net/if.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "api/server.h"
#include "base/procfs.h"
#include "reconcile/status.h"

#define USER_NAMES	 16  /* more different users than that rarely hold ports */
#define USER_NAME_KEEP_S 300 /* a renamed user shows up after this */
#define USER_BUFFER_SIZE 4096

/* --- users --- */

const char *view_user_name(uid_t uid)
{
	static struct {
		uid_t uid;
		time_t until;
		char name[64];
	} cache[USER_NAMES];
	static unsigned next;
	time_t now = time(NULL);
	char buffer[USER_BUFFER_SIZE];
	struct passwd entry, *found = NULL;

	if (uid == PROCESS_UID_UNKNOWN)
		return NULL;
	for (unsigned i = 0; i < USER_NAMES; i++)
		if (cache[i].uid == uid && cache[i].until > now)
			return cache[i].name;
	next = (next + 1) % USER_NAMES;
	cache[next].uid = uid;
	cache[next].until = now + USER_NAME_KEEP_S;
	if (!getpwuid_r(uid, &entry, buffer, sizeof(buffer), &found) && found)
		snprintf(cache[next].name, sizeof(cache[next].name), "%s", entry.pw_name);
	else
		snprintf(cache[next].name, sizeof(cache[next].name), "%u", uid);
	return cache[next].name;
}

bool view_user_id(const char *name, uid_t *ret)
{
	char buffer[USER_BUFFER_SIZE], *end;
	struct passwd entry, *found = NULL;
	unsigned long number;

	if (!getpwnam_r(name, &entry, buffer, sizeof(buffer), &found) && found) {
		*ret = entry.pw_uid;
		return true;
	}
	errno = 0;
	number = strtoul(name, &end, 10);
	if (errno || *end || *name < '0' || *name > '9' || number >= PROCESS_UID_UNKNOWN)
		return false;
	*ret = (uid_t)number;
	return true;
}

bool view_may_see(uid_t viewer, uid_t owner)
{
	return viewer == 0 || (viewer == owner && owner != PROCESS_UID_UNKNOWN);
}

/* --- rows and holders --- */

static int by_age(const void *left, const void *right)
{
	const struct process_id *a = &((const struct holding *)left)->holder->id;
	const struct process_id *b = &((const struct holding *)right)->holder->id;

	if (a->start_ticks != b->start_ticks)
		return a->start_ticks < b->start_ticks ? -1 : 1;
	return (a->pid > b->pid) - (a->pid < b->pid);
}

int view_holdings(const struct socket_row *const *rows, size_t n, bool serving,
		  struct holding **ret, size_t *ret_n)
{
	struct holding *list;
	size_t total = 0, used = 0, unique = 0;

	for (size_t i = 0; i < n; i++)
		total += rows[i]->n_holders;
	list = calloc(total + 1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		for (size_t h = 0; h < rows[i]->n_holders; h++)
			if (!serving || socket_serves(rows[i]))
				list[used++] = (struct holding){ &rows[i]->holders[h], rows[i],
								 NULL };
	qsort(list, used, sizeof(*list), by_age);
	for (size_t i = 0; i < used; i++)
		if (!unique || by_age(&list[unique - 1], &list[i]))
			list[unique++] = list[i];
	*ret = list;
	*ret_n = unique;
	return 0;
}

int view_rows_of_port(struct inventory *inv, uint32_t netns, uint16_t port,
		      const struct socket_row ***ret, size_t *ret_n)
{
	const struct socket_row **rows;
	size_t n;
	int r = inventory_verify_port(inv, netns, port);

	if (r)
		return r;
	n = inventory_by_port(inv, netns, port, NULL, SIZE_MAX);
	rows = calloc(n + 1, sizeof(struct socket_row *));
	if (!rows)
		return -ENOMEM;
	*ret_n = inventory_by_port(inv, netns, port, rows, n);
	*ret = rows;
	return 0;
}

/* --- processes --- */

static void name_by_program(struct process *process)
{
	char line[PROCFS_CMDLINE_SIZE] = "", *end;
	const char *path = process->exe, *slash;

	if (strcmp(process->comm, VIEW_NODE_THREAD) != 0)
		return;
	if (!*path && !procfs_cmdline(&process->id, line, sizeof(line))) {
		end = strchr(line, ' ');
		if (end)
			*end = '\0';
		path = line;
	}
	slash = strrchr(path, '/');
	path = slash ? slash + 1 : path;
	if (*path)
		snprintf(process->comm, sizeof(process->comm), "%s", path);
}

bool view_describe(const struct inventory *inv, const struct process_id *id, struct process *ret)
{
	const struct process *known = inventory_process(inv, id);

	if (known)
		*ret = *known;
	else if (id->pid <= 0 || procfs_describe(id->pid, ret) || !process_id_equal(&ret->id, id))
		return false;
	name_by_program(ret);
	return true;
}

const char *view_process_name(const struct inventory *inv, const struct process_id *id, char *ret)
{
	const struct process *known = inventory_process(inv, id);
	struct process process = { 0 };

	/* the name alone, where nothing has to be found out: a list has ten thousand of them */
	if (known && strcmp(known->comm, VIEW_NODE_THREAD) != 0)
		return memcpy(ret, known->comm, PROCESS_COMM_SIZE);
	if (id->pid)
		view_describe(inv, id, &process);
	return memcpy(ret, process.comm, PROCESS_COMM_SIZE);
}

void view_cgroup(const struct process_id *id, struct cgroup_owner *ret)
{
	char path[PROCFS_CGROUP_SIZE];

	if (procfs_cgroup(id, path, sizeof(path)))
		path[0] = 0;
	cgroup_parse(path, ret);
}

static const struct {
	char letter;
	const char *name;
} states[] = {
	{ 'R', "running" }, { 'S', "sleeping" }, { 'D', "uninterruptible" }, { 'I', "idle" },
	{ 'T', "stopped" }, { 't', "traced" },	 { 'Z', "zombie" },	     { 'X', "dead" },
};

const char *view_state_name(char state)
{
	for (size_t i = 0; i < ARRAY_SIZE(states); i++)
		if (states[i].letter == state)
			return states[i].name;
	return NULL;
}

static void add_ancestry(struct json_object *o, const struct process *process)
{
	struct json_object *ancestry = json_add_array(o, "ancestry");

	for (int i = 0; i < process->n_ancestors && i < PROCESS_ANCESTORS_MAX; i++) {
		struct json_object *ancestor = json_object_new_object();

		json_add_int(ancestor, "pid", process->ancestors[i].id.pid);
		json_add_text(ancestor, "comm", process->ancestors[i].comm);
		json_append(ancestry, ancestor);
	}
}

struct json_object *view_holder(const struct inventory *inv, const struct holding *h, uid_t viewer)
{
	const struct process_id *id = &h->holder->id;
	struct process process;
	struct procfs_facts facts;
	struct cgroup_owner owner;
	struct json_object *o = json_object_new_object(), *fds;
	bool may;

	if (!view_describe(inv, id, &process))
		process = (struct process){ .id = *id, .uid = PROCESS_UID_UNKNOWN };
	may = view_may_see(viewer, process.uid);
	procfs_facts(id, may, &facts); /* of one that is gone: nothing */
	cgroup_parse(facts.cgroup, &owner);
	json_add_int(o, "pid", id->pid);
	json_add_known(o, "startTime", procfs_start_unix(id));
	json_add_text(o, "comm", process.comm);
	json_add_text(o, "cmdline", facts.cmdline);
	json_add_text(o, "exe", may ? process.exe : NULL);
	json_add_text(o, "cwd", may ? process.cwd : NULL);
	json_add_text(o, "user", view_user_name(process.uid));
	json_add(o, "uid",
		 process.uid == PROCESS_UID_UNKNOWN ? NULL : json_object_new_int64(process.uid));
	fds = json_add_array(o, "fds");
	for (int i = 0; i < h->holder->n_fds && i < INVENTORY_HOLDER_FDS; i++)
		json_append(fds, json_object_new_int(h->holder->fds[i]));
	json_add_text(o, "via", h->via);
	json_add_known(o, "since", h->socket->since);
	add_ancestry(o, &process);
	json_add_text(o, "unit", owner.unit);
	json_add_text(o, "container", owner.container);
	json_add_text(o, "state", view_state_name(facts.state));
	return o;
}

int64_t view_pid_of_holding(const void *list, size_t i)
{
	return ((const struct holding *)list)[i].holder->id.pid;
}

static int64_t pid_of_holder(const void *list, size_t i)
{
	return ((const struct holder *)list)[i].id.pid;
}

void view_write_holders(struct request *r, const struct socket_row *row)
{
	char comm[PROCESS_COMM_SIZE] = "";

	if (row->n_holders)
		view_process_name(r->api->config.inventory, &row->holders[0].id, comm);
	written_ints(r, "pids", row->n_holders, pid_of_holder, row->holders);
	written_text(r, "process", comm);
}

struct json_object *view_pids(const struct holding *holdings, size_t n)
{
	struct json_object *pids = json_object_new_array();

	for (size_t i = 0; i < n; i++)
		json_append(pids, json_object_new_int(holdings[i].holder->id.pid));
	return pids;
}

/* --- sockets --- */

static void add_device(struct json_object *o, uint32_t dev, bool own_netns)
{
	char name[IF_NAMESIZE];

	/* an index of another namespace means nothing here */
	if (dev && !(own_netns && if_indextoname(dev, name)))
		snprintf(name, sizeof(name), "if%u", dev);
	json_add_text(o, "dev", dev ? name : NULL);
}

static struct json_object *socket_briefly(const struct inventory *inv, const struct socket_row *row)
{
	struct json_object *o = json_object_new_object();
	char addr[NET_ADDR_STR_SIZE];

	json_add_text(o, "proto", net_protocol_name(row->protocol));
	json_add_text(o, "addr", net_addr_format(row->family, &row->addr, addr));
	json_add_int(o, "port", row->port);
	json_add_text(o, "state", socket_state_name(row->state));
	json_add_int(o, "netns", row->netns);
	json_add_bool(o, "ownNetns", row->netns == inventory_own_netns(inv));
	json_add_text(o, "user", view_user_name(row->uid));
	json_add_known(o, "since", row->since);
	return o;
}

struct json_object *view_socket(const struct inventory *inv, const struct socket_row *row)
{
	struct json_object *o = socket_briefly(inv, row);
	bool own = row->netns == inventory_own_netns(inv);
	bool v6only = row->family == AF_INET6 && row->v6only_known;

	json_add_text(o, "family", row->family == AF_INET6 ? "ipv6" : "ipv4");
	json_add(o, "uid",
		 row->uid == PROCESS_UID_UNKNOWN ? NULL : json_object_new_int64(row->uid));
	json_add_known(o, "inode", row->inode);
	json_add(o, "cookie", row->cookie ? json_u64_text(row->cookie) : NULL);
	/* no interface of the kernel tells the flags of another process's socket without BPF */
	json_add(o, "reuseaddr", NULL);
	json_add(o, "reuseport", NULL);
	json_add(o, "v6only", v6only ? json_object_new_boolean(row->v6only) : NULL);
	add_device(o, row->dev, own);
	json_add_known(o, "timerMs", row->timer_ms);
	return o;
}

static const char *const probe_states[] = {
	[SENTINEL_PROBE_REFUSED] = "refused",
	[SENTINEL_PROBE_SILENT] = "silent",
	[SENTINEL_PROBE_WORKS] = "works",
};

struct json_object *view_probe(const struct sentinel_probe *probe)
{
	struct json_object *o = json_object_new_object();

	json_add_text(o, "name", probe->name);
	json_add_text(o, "attached", probe->attached);
	json_add_text(o, "state", probe_states[probe->state]);
	json_add_text(o, "reason", probe->reason);
	json_add_text(o, "blind", probe->blind);
	return o;
}
