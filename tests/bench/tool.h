/* SPDX-License-Identifier: MIT */
/* What the programs that measure share. */
#ifndef BENCH_TOOL_H
#define BENCH_TOOL_H

#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

static inline int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* A connection to the daemon's socket. */
static inline int connect_to(const char *path)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(name.sun_path, sizeof(name.sun_path), "%s", path);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&name, sizeof(name)))
		err(1, "%s", path);
	return fd;
}

static inline int64_t *samples_new(int count)
{
	int64_t *samples = calloc((size_t)count, sizeof(*samples));

	if (!samples)
		err(1, "memory");
	return samples;
}

static inline int compare_ns(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* Sorts them; then the n-th of a hundred, in microseconds. */
static inline double percentile_us(int64_t *samples, int count, int n)
{
	qsort(samples, (size_t)count, sizeof(*samples), compare_ns);
	return (double)samples[(int64_t)count * n / 100] / 1e3;
}

#endif
