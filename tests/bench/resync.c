/* SPDX-License-Identifier: MIT */
/*
 * resync ROUNDS: reads the whole table anew, as the daemon does after a loss, in turn with the bare
 * iterator pass below it.  Prints a line of two figures for each round, milliseconds.
 */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bpf/abi.h"
#include "inventory/inventory.h"
#include "sentinel/sentinel.h"

static void nobody(uint32_t netns, uint16_t port, void *user_data)
{
}

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static double bare_pass(struct sentinel *s)
{
	static char bytes[256 * 1024];
	double began = now_ms();
	const struct kernel_source *kernel = sentinel_kernel_source(s);
	int fd = kernel->open_holder_pass ? kernel->open_holder_pass(kernel->user_data)
					  : -EOPNOTSUPP;
	ssize_t n;

	if (fd < 0)
		errx(1, "no pass: %s", strerror(-fd));
	while ((n = read(fd, bytes, sizeof(bytes))) > 0)
		;
	if (n < 0)
		err(1, "pass");
	close(fd);
	return now_ms() - began;
}

static double resync(struct inventory *inv)
{
	double began = now_ms();
	int r = inventory_resync(inv, time(NULL), nobody, NULL);

	if (r)
		errx(1, "resync: %s", strerror(-r));
	return now_ms() - began;
}

int main(int argc, char **argv)
{
	int rounds = argc == 2 ? atoi(argv[1]) : 0;
	struct sentinel *sentinel;
	struct inventory *inventory;

	if (rounds < 1)
		errx(2, "usage: resync ROUNDS");
	if (sentinel_new(SENTINEL_TRACE_AUTO, &sentinel) ||
	    sentinel_report(sentinel)->mode != SENTINEL_MODE_BPF)
		errx(1, "no eBPF");
	if (inventory_new(sentinel_kernel_source(sentinel), &inventory))
		errx(1, "no inventory");
	resync(inventory); /* the first one fills; the others compare */
	for (int i = 0; i < rounds; i++) {
		double full = resync(inventory);

		printf("%.3f %.3f\n", full, bare_pass(sentinel));
	}
	inventory_free(inventory);
	sentinel_free(sentinel);
	return 0;
}
