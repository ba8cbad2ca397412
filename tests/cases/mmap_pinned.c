/* SPDX-License-Identifier: MIT */
/* A memory mapping of the listening socket is left; its descriptor is closed. */
#include <sys/mman.h>

#include "case.h"

static void run_mapped(struct scene *s)
{
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	int fd = holder_listen(s);
	void *map = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);

	need(map != MAP_FAILED);
	close(fd);
	tell(s, 0);
	need(munmap(map, size) == 0);
	tell(s, 0);
}

const struct scenario scenario = {
	.verdict = "mmap_pinned",
	.run_holder = run_mapped,
	.remedy = let_holder_go_on,
};
