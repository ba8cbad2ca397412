/* SPDX-License-Identifier: MIT */
/*
 * LD_PRELOAD: fails one call of a program that writes into a regular file, the PD_FAIL_NTH-th of
 * its write(), pwrite(), fdatasync(), fsync() and ftruncate(), with errno PD_FAIL_ERRNO, and says
 * so on stderr, which itself is not counted.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_int calls;

static int fails(const char *call, int fd)
{
	const char *nth = getenv("PD_FAIL_NTH"), *error = getenv("PD_FAIL_ERRNO");
	char said[128];
	struct stat st;
	int saved = errno, n;

	if (!nth || !error || fd == STDERR_FILENO || fstat(fd, &st) || !S_ISREG(st.st_mode) ||
	    atomic_fetch_add(&calls, 1) + 1 != atoi(nth)) {
		errno = saved;
		return 0;
	}
	n = snprintf(said, sizeof(said), "failing_writes: %s, call %s\n", call, nth);
	syscall(SYS_write, STDERR_FILENO, said, n);
	errno = atoi(error);
	return 1;
}

ssize_t write(int fd, const void *bytes, size_t n)
{
	return fails("write", fd) ? -1 : syscall(SYS_write, fd, bytes, n);
}

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t at)
{
	return fails("pwrite", fd) ? -1 : syscall(SYS_pwrite64, fd, bytes, n, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t n, off64_t at)
{
	return fails("pwrite", fd) ? -1 : syscall(SYS_pwrite64, fd, bytes, n, at);
}

int fdatasync(int fd)
{
	return fails("fdatasync", fd) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
	return fails("fsync", fd) ? -1 : (int)syscall(SYS_fsync, fd);
}

int ftruncate(int fd, off_t size)
{
	return fails("ftruncate", fd) ? -1 : (int)syscall(SYS_ftruncate, fd, size);
}

int ftruncate64(int fd, off64_t size)
{
	return fails("ftruncate", fd) ? -1 : (int)syscall(SYS_ftruncate, fd, size);
}
