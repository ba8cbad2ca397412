/* SPDX-License-Identifier: MIT */
#include "daemon/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>

#include "base/log.h"
#include "base/quota.h"

/* Counted where all programs load: what is open without clients, RESERVED, and the fewest of
 * clients that are of use. */
#define NEED_WITH_EBPF	  128
#define NEED_WITHOUT_EBPF 48
#define LOOKED_AT	  1024 /* numbers of files that may be open */
/* Opened behind descriptors_left() and kept (8), or for a moment: files of /proc, of a backup and
 * of SQLite, an iterator, a socket for questions to the kernel (8). */
#define RESERVED 16

static int too_few(rlim_t limit, unsigned need, char ret_error[DESCRIPTORS_ERROR_SIZE])
{
	snprintf(ret_error, DESCRIPTORS_ERROR_SIZE,
		 "the daemon may open %llu files, and it needs %u: raise the limit with "
		 "LimitNOFILE= in its unit, or with ulimit -n in the shell that starts it",
		 (unsigned long long)limit, need);
	return -EMFILE;
}

static rlim_t raise_as_far_as_wanted(unsigned need)
{
	/* some may be inherited */
	const rlim_t wanted = 2 * need + QUOTA_DESCRIPTORS_WANTED;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return RLIM_INFINITY;
	if (limit.rlim_cur >= wanted || limit.rlim_cur >= limit.rlim_max)
		return limit.rlim_cur;
	limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		getrlimit(RLIMIT_NOFILE, &limit);
	return limit.rlim_cur;
}

int descriptors_raise(bool with_ebpf, char ret_error[DESCRIPTORS_ERROR_SIZE])
{
	unsigned need = with_ebpf ? NEED_WITH_EBPF : NEED_WITHOUT_EBPF;
	rlim_t limit = raise_as_far_as_wanted(need);

	return limit < need ? too_few(limit, need, ret_error) : 0;
}

/* Their numbers are low: the kernel gives the lowest that is free. */
static unsigned count_open(rlim_t limit)
{
	unsigned n = 0;

	for (int fd = 0; fd < LOOKED_AT && (rlim_t)fd < limit; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

int descriptors_left(unsigned *ret, char ret_error[DESCRIPTORS_ERROR_SIZE])
{
	struct rlimit limit = { .rlim_cur = RLIM_INFINITY };
	unsigned own;

	getrlimit(RLIMIT_NOFILE, &limit);
	own = count_open(limit.rlim_cur) + RESERVED;
	if (limit.rlim_cur <= own)
		return too_few(limit.rlim_cur, own + 1, ret_error);
	if (limit.rlim_cur - own >= QUOTA_DESCRIPTORS_WANTED) {
		*ret = QUOTA_DESCRIPTORS_WANTED;
		return 0;
	}
	*ret = (unsigned)(limit.rlim_cur - own);
	log_info("the daemon may open %llu files: with %u of its own there are fewer "
		 "connections and health checks at one time than usual; %d are enough for all "
		 "(LimitNOFILE= in its unit, or ulimit -n)",
		 (unsigned long long)limit.rlim_cur, own, own + QUOTA_DESCRIPTORS_WANTED);
	return 0;
}
