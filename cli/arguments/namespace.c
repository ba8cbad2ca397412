/* SPDX-License-Identifier: MIT */
#include "cli/arguments/namespace.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/procfs.h"

#define PID_MAX (4 * 1024 * 1024) /* include/linux/threads.h */

DEFINE_CLEANUP(DIR *, closedir);

static bool is_in(const char *pid, const struct stat *namespace)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%.20s/ns/net", pid);
	return !stat(path, &st) && st.st_ino == namespace->st_ino && st.st_dev == namespace->st_dev;
}

/* The pid of a process in the namespace; false when none is visible to the caller. */
static bool find_inhabitant(const struct stat *namespace, char ret[static NAMESPACE_TEXT_SIZE])
{
	_cleanup_(closedirp) DIR *dir = opendir("/proc");
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (isdigit((unsigned char)entry->d_name[0]) && is_in(entry->d_name, namespace)) {
			snprintf(ret, NAMESPACE_TEXT_SIZE, "%.20s", entry->d_name);
			return true;
		}
	return false;
}

static int find_name(const char *name, char ret[static NAMESPACE_TEXT_SIZE])
{
	char path[sizeof(NAMESPACE_DIRECTORY) + NAMESPACE_TEXT_SIZE + 1];
	struct stat st;

	if (!*name || *name == '.' || strchr(name, '/') || strlen(name) >= NAMESPACE_TEXT_SIZE)
		return -ENOENT;
	snprintf(path, sizeof(path), NAMESPACE_DIRECTORY "/%s", name);
	if (stat(path, &st))
		return -ENOENT;
	if (!find_inhabitant(&st, ret))
		snprintf(ret, NAMESPACE_TEXT_SIZE, "%s", name);
	return 0;
}

int namespace_find(const char *text, char ret[static NAMESPACE_TEXT_SIZE])
{
	struct process_id id;
	unsigned long pid;
	char *end;

	pid = strtoul(text, &end, 10);
	if (text[0] < '1' || text[0] > '9' || *end || pid > PID_MAX)
		return find_name(text, ret);
	if (procfs_identity((pid_t)pid, &id))
		return find_name(text, ret) ? -ESRCH : 0; /* `ip netns add 42` is legal */
	snprintf(ret, NAMESPACE_TEXT_SIZE, "%lu", pid);
	return 0;
}
