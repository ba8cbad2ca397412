/* SPDX-License-Identifier: MIT */
/* Small files and links of /proc as text. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/procfs.h"

#define ELLIPSIS "\xE2\x80\xA6"

ssize_t procfs_read(const char *path, char *ret, size_t size)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	int error = fd < 0 ? errno : 0;
	size_t used = 0;

	while (!error && used < size - 1) {
		ssize_t n = read(fd, ret + used, size - 1 - used);

		if (n == 0)
			break;
		if (n > 0)
			used += (size_t)n;
		else if (errno != EINTR)
			error = errno;
	}
	ret[error ? 0 : used] = '\0';
	return error ? -error : (ssize_t)used;
}

ssize_t procfs_read_of(pid_t pid, const char *name, char *ret, size_t size)
{
	char path[64]; /* "/proc/PID/cmdline" */
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	n = procfs_read(path, ret, size);
	return n == -ENOENT ? -ESRCH : n;
}

/* Keeps the end of a path that is too long, from a character boundary on. */
static void copy_path(const char *path, size_t n, char ret[static PROCESS_PATH_SIZE])
{
	const size_t room = PROCESS_PATH_SIZE - 1 - strlen(ELLIPSIS);
	const char *from = path;

	ret[0] = '\0';
	if (n >= PROCESS_PATH_SIZE) {
		from = path + n - room;
		while (((unsigned char)*from & 0xC0) == 0x80)
			from++;
		strcpy(ret, ELLIPSIS);
	}
	strcat(ret, from);
}

void procfs_link(pid_t pid, const char *name, char ret[static PROCESS_PATH_SIZE])
{
	char path[64], target[PATH_MAX];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0) {
		ret[0] = '\0';
		return;
	}
	target[n] = '\0';
	copy_path(target, (size_t)n, ret);
}

const char *procfs_boot_id(void)
{
	static char boot_id[64];

	if (!boot_id[0])
		procfs_read("/proc/sys/kernel/random/boot_id", boot_id, sizeof(boot_id));
	boot_id[strcspn(boot_id, "\n")] = '\0';
	return boot_id;
}

#define MEMORY_TEXT_SIZE 2048

int procfs_own_memory(uint64_t *ret_bytes)
{
	char text[MEMORY_TEXT_SIZE];
	const char *pss = NULL;
	uint64_t kib, size, resident;
	ssize_t n = procfs_read("/proc/self/smaps_rollup", text, sizeof(text));

	if (n > 0)
		pss = strstr(text, "\nPss:");
	if (pss && sscanf(pss, " Pss: %" SCNu64 " kB", &kib) == 1) {
		*ret_bytes = kib * 1024;
		return 0;
	}
	n = procfs_read("/proc/self/statm", text, sizeof(text));
	if (n < 0)
		return (int)n;
	if (sscanf(text, "%" SCNu64 " %" SCNu64, &size, &resident) != 2)
		return -EIO;
	*ret_bytes = resident * (uint64_t)sysconf(_SC_PAGESIZE);
	return 0;
}
