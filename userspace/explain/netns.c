/* SPDX-License-Identifier: MIT */
/* Which network namespace is meant, and a process in it: the kernel's table is read through one. */
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
#include "explain/explain.h"
#include "explain/remedies.h"

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
	if (bindtable_read(x->walk, x->walk_data, &q, &table))
		return 0;
	netns = table.netns;
	bindtable_deinit(&table);
	return netns;
}

static int find_pid(struct explainer *x, pid_t pid, struct why_place *ret)
{
	struct process_id id;

	if (procfs_identity(pid, &id))
		return -ESRCH;
	ret->pid = pid;
	ret->netns = netns_of(x, pid);
	ret->unreachable = !ret->netns;
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

static int find_name(struct explainer *x, const char *name, struct why_place *ret)
{
	struct inhabitant wanted = { .x = x };
	char path[sizeof(NETNS_DIRECTORY) + sizeof(ret->name) + 1];
	struct stat st;

	if (!*name || strchr(name, '/') || name[0] == '.' || strlen(name) >= sizeof(ret->name))
		return -ENOENT;
	snprintf(path, sizeof(path), NETNS_DIRECTORY "/%s", name);
	if (stat(path, &st))
		return errno == EACCES ? -EACCES : -ENOENT;
	ret->netns = wanted.netns = (uint32_t)st.st_ino;
	inventory_for_each(x->inventory, find_inhabitant, &wanted);
	ret->pid = wanted.pid;
	ret->unreachable = !wanted.pid;
	return 0;
}

int why_place_find(struct explainer *x, const char *text, struct why_place *ret)
{
	uint32_t own = inventory_own_netns(x->inventory);
	char *end;
	unsigned long pid;
	int r;

	*ret = (struct why_place){ .netns = own, .own = true };
	if (!text)
		return 0;
	*ret = (struct why_place){ .own = false };
	snprintf(ret->name, sizeof(ret->name), "%s", text);
	pid = strtoul(text, &end, 10);
	if (text[0] >= '1' && text[0] <= '9' && !*end && pid < PID_MAX_LIMIT)
		r = find_pid(x, (pid_t)pid, ret);
	else
		r = find_name(x, text, ret);
	if (!r && ret->netns == own)
		*ret = (struct why_place){ .netns = own, .own = true };
	return r;
}

/* --- the way in --- */

/* A name below /run/netns; it lasts longer than any process. */
static bool enter_by_name(struct why_place *place)
{
	_cleanup_(closedirp) DIR *directory = opendir(NETNS_DIRECTORY);
	const struct dirent *entry;
	struct stat st;

	while (directory && (entry = readdir(directory))) {
		if (!remedy_is_plain_word(entry->d_name) ||
		    strlen(entry->d_name) >= sizeof(place->name) ||
		    fstatat(dirfd(directory), entry->d_name, &st, 0) || st.st_ino != place->netns)
			continue;
		snprintf(place->enter, sizeof(place->enter), "ip netns exec %s ", entry->d_name);
		return true;
	}
	return false;
}

static bool enter_by_pid(struct explainer *x, struct why_place *place, pid_t pid)
{
	if (!pid || netns_of(x, pid) != place->netns)
		return false;
	snprintf(place->enter, sizeof(place->enter), "nsenter -t %d -n ", pid);
	return true;
}

/* Who failed is gone soon; the shell that started it stays. */
static bool enter_by_caller(struct explainer *x, struct why_facts *f)
{
	struct process caller;

	if (!f->question.caller.pid || !inventory_describe(f->inv, &f->question.caller, &caller))
		return false;
	for (int i = 0; i < caller.n_ancestors && i < PROCESS_ANCESTORS_MAX; i++)
		if (enter_by_pid(x, &f->place, caller.ancestors[i].id.pid))
			return true;
	return enter_by_pid(x, &f->place, caller.id.pid);
}

void why_place_find_entry(struct explainer *x, struct why_facts *f)
{
	struct inhabitant wanted = { .x = x, .netns = f->place.netns };

	if (f->place.own || f->place.of_asker || enter_by_name(&f->place))
		return;
	for (size_t i = 0; i < f->n_holdings; i++)
		if (enter_by_pid(x, &f->place, f->holdings[i].holder->id.pid))
			return;
	if (enter_by_caller(x, f) || enter_by_pid(x, &f->place, f->place.pid))
		return;
	inventory_for_each(x->inventory, find_inhabitant, &wanted);
	f->place.shut = !enter_by_pid(x, &f->place, wanted.pid);
}

uint32_t why_place_device(const struct why_place *place, const char *name)
{
	char path[64], line[128], found[32];
	_cleanup_file_ FILE *file = NULL;
	unsigned index;

	if (place->own)
		return if_nametoindex(name);
	/* indices of another namespace are in its list of groups: every device that is up */
	snprintf(path, sizeof(path), "/proc/%d/net/igmp", place->pid);
	file = place->pid ? fopen(path, "re") : NULL;
	while (file && fgets(line, sizeof(line), file))
		if (line[0] != '\t' && sscanf(line, "%u %31[^: \t]", &index, found) == 2 &&
		    !strcmp(found, name))
			return index;
	return 0;
}
