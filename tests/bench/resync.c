/* SPDX-License-Identifier: MIT */
/*
 * resync ROUNDS: reads the whole table anew, as the daemon does after a loss, in turn with the bare
 * iterator pass below it.  Prints a line of two figures for each round, milliseconds.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bpf/abi.h"
#include "inventory/inventory.h"
#include "sentinel/sentinel.h"

static int open_pass(void *user_data)
{
	return sentinel_open_holder_pass(user_data);
}

static int look(void *user_data, struct abi_look *ret)
{
	return sentinel_look(user_data, ret);
}

static void track_socket(void *user_data, uint64_t cookie)
{
	sentinel_track_socket(user_data, cookie);
}

static void track_process(void *user_data, const struct process_id *id, bool track)
{
	if (track)
		sentinel_track_process(user_data, id);
	else
		sentinel_untrack_process(user_data, id);
}

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
	int fd = sentinel_open_holder_pass(s);
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
	struct holder_source source = { .open_pass = open_pass,
					.look = look,
					.track_socket = track_socket,
					.track_process = track_process };
	int rounds = argc == 2 ? atoi(argv[1]) : 0;
	struct sentinel *sentinel;
	struct inventory *inventory;

	if (rounds < 1)
		errx(2, "usage: resync ROUNDS");
	if (sentinel_new(true, &sentinel) || sentinel_report(sentinel)->mode != SENTINEL_MODE_BPF)
		errx(1, "no eBPF");
	source.user_data = sentinel;
	if (inventory_new(&source, &inventory))
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
