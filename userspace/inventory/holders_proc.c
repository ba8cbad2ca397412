/* SPDX-License-Identifier: MIT */
#include "inventory/holders_proc.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/procfs.h"

#define PATH_BYTES   32 /* "/proc/PID/fd" */
#define TARGET_BYTES 64 /* "socket:[4294967295]"; longer targets are no sockets */

DEFINE_CLEANUP(DIR *, closedir);

/* The number in "socket:[N]", or 0. */
static uint64_t socket_inode(const char *target)
{
	static const char prefix[] = "socket:[";
	char *end;
	uint64_t inode;

	if (strncmp(target, prefix, sizeof(prefix) - 1) != 0)
		return 0;
	target += sizeof(prefix) - 1;
	if (!isdigit((unsigned char)*target))
		return 0;
	inode = strtoull(target, &end, 10);
	return end[0] == ']' && end[1] == '\0' ? inode : 0;
}

static int look_into(const struct process_id *id, DIR *dir, holders_proc_visit visit,
		     void *user_data)
{
	char target[TARGET_BYTES];
	struct dirent *entry;
	uint64_t inode;
	ssize_t n;
	int r;

	while ((entry = readdir(dir))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		n = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);
		/* its directory can be listed by its user, its links be read by nobody with less
		 * rights than it has */
		if (n < 0 && errno == EACCES)
			return -EACCES;
		if (n <= 0)
			continue; /* closed since, or the process ended */
		target[n] = '\0';
		inode = socket_inode(target);
		if (!inode)
			continue;
		r = visit(id, atoi(entry->d_name), inode, user_data);
		if (r)
			return r;
	}
	return 0;
}

int holders_proc_look(const struct process_id *id, holders_proc_visit visit, void *user_data)
{
	_cleanup_(closedirp) DIR *dir = NULL;
	char path[PATH_BYTES];
	struct process_id now;

	snprintf(path, sizeof(path), "/proc/%d/fd", id->pid);
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? -ESRCH : -errno;
	/*
	 * The open directory belongs to one process for good and is empty once that has ended.  If
	 * the pid still means `id` after the open, the directory is that of `id`.
	 */
	if (procfs_identity(id->pid, &now) || !process_id_equal(id, &now))
		return -ESRCH;
	return look_into(id, dir, visit, user_data);
}

int holders_proc_next(DIR *proc, holders_proc_visit visit, void *user_data, bool *ret_more)
{
	struct process_id id;
	struct dirent *entry;
	int r;

	do
		entry = readdir(proc);
	while (entry && !isdigit((unsigned char)entry->d_name[0]));
	*ret_more = entry;
	if (!entry || procfs_identity(atoi(entry->d_name), &id))
		return 0;
	r = holders_proc_look(&id, visit, user_data);
	return r == -ESRCH || r == -EACCES || r == -EPERM ? 0 : r;
}

int holders_proc_walk(holders_proc_visit visit, void *user_data)
{
	_cleanup_(closedirp) DIR *proc = opendir("/proc");
	int r = proc ? 0 : -errno;

	for (bool more = true; !r && more;)
		r = holders_proc_next(proc, visit, user_data, &more);
	return r;
}
