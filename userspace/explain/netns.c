/* SPDX-License-Identifier: MIT */
/* Which network namespace is meant, a process in it (the kernel's table is read through one), and a
 * way in. */
#include <dirent.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/procfs.h"
#include "base/text.h"
#include "explain/environment.h"

#define NETNS_DIRECTORY "/run/netns"
#define PID_MAX_LIMIT	(4 * 1024 * 1024) /* include/linux/threads.h */

DEFINE_CLEANUP(DIR *, closedir);

/* Asked of the walk itself: the link in ns/ may be read of one's own processes only. */
static uint32_t netns_of(struct explainer *x, pid_t pid)
{
	struct bindtable_question q = { .protocol = IPPROTO_TCP, .port = 1, .pid = pid };
	struct bind_table table = { 0 };
	char path[64];
	struct stat st;
	uint32_t netns = 0;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	if (!stat(path, &st))
		return (uint32_t)st.st_ino;
	if (bindtable_read(x->kernel, &q, &table))
		return 0;
	netns = table.netns;
	bindtable_deinit(&table);
	return netns;
}

static int find_pid(struct explainer *x, pid_t pid, struct why_netns *ret)
{
	struct process_id id;

	if (procfs_identity(pid, &id))
		return -ESRCH;
	ret->pid = pid;
	ret->inode = netns_of(x, pid);
	ret->unreachable = !ret->inode;
	return 0;
}

struct inhabitant {
	struct explainer *x;
	uint32_t netns;
	pid_t pid;
};

/* A holder of a socket of the namespace that has not itself moved elsewhere. */
static bool find_inhabitant(const struct socket_row *row, void *user_data)
{
	struct inhabitant *wanted = user_data;

	if (row->netns != wanted->netns)
		return true;
	for (size_t i = 0; i < row->n_holders && !wanted->pid; i++)
		if (procfs_alive(&row->holders[i].id) &&
		    netns_of(wanted->x, row->holders[i].id.pid) == wanted->netns)
			wanted->pid = row->holders[i].id.pid;
	return !wanted->pid;
}

static int find_name(struct explainer *x, const char *name, struct why_netns *ret)
{
	struct inhabitant wanted = { .x = x };
	char path[sizeof(NETNS_DIRECTORY) + sizeof(ret->name) + 1];
	struct stat st;

	if (!*name || strchr(name, '/') || name[0] == '.' || strlen(name) >= sizeof(ret->name))
		return -ENOENT;
	snprintf(path, sizeof(path), NETNS_DIRECTORY "/%s", name);
	if (stat(path, &st))
		return errno == EACCES ? -EACCES : -ENOENT;
	ret->inode = wanted.netns = (uint32_t)st.st_ino;
	inventory_for_each(x->inventory, NULL, find_inhabitant, &wanted);
	ret->pid = wanted.pid;
	ret->unreachable = !wanted.pid;
	return 0;
}

int why_netns_find(struct explainer *x, const char *text, struct why_netns *ret)
{
	uint32_t own = inventory_own_netns(x->inventory);
	char *end;
	unsigned long pid;
	int r;

	*ret = (struct why_netns){ .inode = own, .own = true };
	if (!text)
		return 0;
	*ret = (struct why_netns){ .own = false };
	snprintf(ret->name, sizeof(ret->name), "%s", text);
	pid = strtoul(text, &end, 10);
	if (text[0] >= '1' && text[0] <= '9' && !*end && pid < PID_MAX_LIMIT)
		r = find_pid(x, (pid_t)pid, ret);
	else
		r = find_name(x, text, ret);
	if (!r && ret->inode == own)
		*ret = (struct why_netns){ .inode = own, .own = true };
	return r;
}

/* --- the way in --- */

/* A name below /run/netns; it lasts longer than any process. */
static bool enter_by_name(struct why_netns *netns)
{
	_cleanup_(closedirp) DIR *directory = opendir(NETNS_DIRECTORY);
	const struct dirent *entry;
	struct stat st;

	while (directory && (entry = readdir(directory))) {
		if (!text_is_shell_word(entry->d_name) ||
		    strlen(entry->d_name) >= sizeof(netns->name) ||
		    fstatat(dirfd(directory), entry->d_name, &st, 0) || st.st_ino != netns->inode)
			continue;
		snprintf(netns->enter, sizeof(netns->enter), "ip netns exec %s ", entry->d_name);
		return true;
	}
	return false;
}

static bool enter_by_pid(struct explainer *x, struct why_netns *netns, pid_t pid)
{
	if (!pid || netns_of(x, pid) != netns->inode)
		return false;
	snprintf(netns->enter, sizeof(netns->enter), "nsenter -t %d -n ", pid);
	return true;
}

/* Who failed is gone soon; the shell that started it stays. */
static pid_t find_by_caller(struct explainer *x, uint32_t netns, const struct process_id *id)
{
	struct process caller;

	if (!id->pid || !inventory_describe(x->inventory, id, &caller))
		return 0;
	for (int i = 0; i < caller.n_ancestors && i < PROCESS_ANCESTORS_MAX; i++)
		if (netns_of(x, caller.ancestors[i].id.pid) == netns)
			return caller.ancestors[i].id.pid;
	return netns_of(x, id->pid) == netns ? id->pid : 0;
}

pid_t why_netns_inhabitant(struct explainer *x, uint32_t netns, const struct process_id *caller)
{
	struct inhabitant wanted = { .x = x, .netns = netns };

	wanted.pid = find_by_caller(x, netns, caller);
	if (!wanted.pid)
		inventory_for_each(x->inventory, NULL, find_inhabitant, &wanted);
	return wanted.pid;
}

void why_netns_find_entry(struct explainer *x, struct why_facts *f)
{
	if (f->netns.own || f->netns.of_asker || enter_by_name(&f->netns))
		return;
	for (size_t i = 0; i < f->n_holders; i++)
		if (enter_by_pid(x, &f->netns, f->holders[i].process.id.pid))
			return;
	f->netns.shut =
		!enter_by_pid(x, &f->netns,
			      why_netns_inhabitant(x, f->netns.inode, &f->question.caller)) &&
		!enter_by_pid(x, &f->netns, f->netns.pid);
}

uint32_t why_netns_device(const struct why_netns *netns, const char *name)
{
	char path[64], line[128], found[32];
	_cleanup_file_ FILE *file = NULL;
	unsigned index;

	if (netns->own)
		return if_nametoindex(name);
	/* indices of another namespace are in its list of groups: every device that is up */
	snprintf(path, sizeof(path), "/proc/%d/net/igmp", netns->pid);
	file = netns->pid ? fopen(path, "re") : NULL;
	while (file && fgets(line, sizeof(line), file))
		if (line[0] != '\t' && sscanf(line, "%u %31[^: \t]", &index, found) == 2 &&
		    !strcmp(found, name))
			return index;
	return 0;
}
