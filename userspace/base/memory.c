/* SPDX-License-Identifier: MIT */
#include "base/memory.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/procfs.h"

#define TEXT_SIZE 2048

int memory_own(uint64_t *ret_bytes)
{
	char text[TEXT_SIZE];
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
