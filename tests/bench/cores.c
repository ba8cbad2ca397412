/* SPDX-License-Identifier: MIT */
/*
 * cores NAME COUNT: runs one of the pure cores COUNT times on fixed facts.  Under callgrind the
 * difference between two counts is the core's own instructions, to the last one.
 */
#include <err.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/event.h"
#include "base/identity.h"
#include "base/moment.h"
#include "bpf/abi.h"
#include "reconcile/oracle.h"
#include "reconcile/status.h"
#include "sentinel/decode.h"

#define OWNERS 100 /* a port that many connections share */

static void must(bool right)
{
	if (!right)
		errx(1, "the core's answer is wrong");
}

static void decode(void)
{
	struct abi_socket_event bytes = {
		.head = { .kind = ABI_LISTEN,
			  .size = sizeof(bytes),
			  .pid = 4711,
			  .boot_ns = 9000000001,
			  .start_ns = 1239999999,
			  .uid = 1000,
			  .comm = "server" },
		.socket = { .cookie = 12,
			    .inode = 34,
			    .netns = 4026531833U,
			    .protocol = IPPROTO_TCP,
			    .port = 3100,
			    .family = AF_INET,
			    .addr = { 127, 0, 0, 1 } },
	};
	struct event event;

	must(decode_event(&bytes, sizeof(bytes), 100, &event) == 0);
}

/* The last of many owners is the one in the way: all are looked at. */
static void oracle(void)
{
	static struct bind_owner owners[OWNERS];
	struct bind_table table = { .owners = owners, .n_owners = OWNERS };
	struct bind_asked asked = { .protocol = IPPROTO_TCP, .family = AF_INET, .reuseaddr = true };
	struct bind_verdict verdict;

	for (int i = 0; i < OWNERS; i++) {
		owners[i].protocol = IPPROTO_TCP;
		owners[i].family = AF_INET;
		owners[i].state = i + 1 < OWNERS ? SOCKET_ESTABLISHED : SOCKET_LISTEN;
		owners[i].reuseaddr = true;
	}
	bind_oracle(&table, &asked, &verdict);
	must(verdict.error != 0);
}

static const struct process *find_process(const struct process_id *id, void *user_data)
{
	return user_data;
}

static void status(void)
{
	struct process server = { .id = { 4711, 815 }, .uid = 1000, .sid = 4700, .comm = "server" };
	struct holder holder = { .id = server.id };
	struct socket_row row = {
		.cookie = 12,
		.protocol = IPPROTO_TCP,
		.family = AF_INET,
		.port = 3100,
		.state = SOCKET_LISTEN,
		.binder = server.id,
		.n_holders = 1,
		.holders = &holder,
		.complete = true,
	};
	const struct socket_row *rows[] = { &row };
	struct service claim = { .id = "bench:web",
				 .port = 3100,
				 .uid = 1000,
				 .cwd = "/",
				 .sid = 4700,
				 .same_boot = true };
	struct status_verdict verdict;

	reconcile_service(&claim, rows, 1, &(struct status_sources){ find_process, NULL, &server },
			  1700000000, 1800, &verdict);
	must(verdict.status == SERVICE_ACTIVE);
}

static void candidates(void)
{
	struct port_range range = { PORT_RANGE_FIRST, PORT_RANGE_LAST };

	for (unsigned n = 0; n < 10; n++)
		must(port_candidate("shop:web:feature-x", range, n) >= PORT_RANGE_FIRST);
}

static void pattern(void)
{
	must(pattern_match("*:web:*-?", "shop:web:feature-x"));
}

static void moment(void)
{
	int64_t unix_s;

	must(moment_parse("2024-02-28T02:00:00+01:00", 1700000000, &unix_s, NULL) == 0);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} cores[] = { { "decode", decode },	    { "oracle", oracle },   { "status", status },
		      { "candidates", candidates }, { "pattern", pattern }, { "moment", moment } };

	if (argc == 2 && !strcmp(argv[1], "--list")) {
		for (size_t i = 0; i < ARRAY_SIZE(cores); i++)
			puts(cores[i].name);
		return 0;
	}
	for (size_t i = 0; argc == 3 && i < ARRAY_SIZE(cores); i++) {
		if (strcmp(cores[i].name, argv[1]))
			continue;
		for (long n = atol(argv[2]); n > 0; n--)
			cores[i].run();
		return 0;
	}
	errx(2, "usage: cores --list | NAME COUNT");
}
