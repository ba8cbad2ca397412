/* SPDX-License-Identifier: MIT */
/* Texts of /proc/PID, where a process chooses its name, its paths and its cgroup. */
#include "fuzz/fuzz.h"

/* for what takes texts that were read */
#include "base/procfs.c"
#include "base/procfs_file.c"

int fuzz(const uint8_t *bytes, size_t size)
{
	char *text = fuzz_text(bytes, size), path[PROCESS_PATH_SIZE];
	struct stat_line s;
	const char *cgroup;

	if (parse_stat(text, &s) == 0)
		must(fuzz_ends(s.comm, sizeof(s.comm)));
	memset(path, 'x', sizeof(path));
	copy_path(text, strlen(text), path);
	must(fuzz_ends(path, sizeof(path)));
	/* a path that fits is kept as it is, and of one that does not the end */
	if (strlen(text) < sizeof(path))
		must(strcmp(path, text) == 0);
	else
		must(strcmp(path + strlen(ELLIPSIS),
			    text + strlen(text) - strlen(path) + strlen(ELLIPSIS)) == 0);
	cgroup = best_cgroup(text);
	must(!strchr(cgroup, '\n'));
	free(text);
	return 0;
}
