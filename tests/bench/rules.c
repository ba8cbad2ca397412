/* SPDX-License-Identifier: MIT */
/*
 * What the hooks on bind() and connect() take of a call, in ns: rules ROUNDS.  As the kernel counts
 * the time of each program (BPF_ENABLE_STATS): the calls themselves take a hundred times as long,
 * and differ by more than this from one to the next.  Without a rule, and with a thousand, of which
 * eight are the caller's own; the best of the rounds, in a network namespace of its own.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/procfs.h"
#include "base/run.h"
#include "sentinel/sentinel.h"
#include "tool.h"

#define RULES	   1000
#define CALLS	   2000 /* of a round */
#define FIRST_PORT 10000
#define ASKED_PORT 3000 /* the first of the caller's hard-coded ones; nobody has it */
#define OTHER_PORT 5000
#define RUN	   4711

/* The hooks of a call. */
static const char *const of_bind[] = { "pd_bind4", "pd_post_bind4", NULL };
static const char *const of_connect[] = { "pd_connect4", NULL };

#define DESCRIPTORS 256 /* of this process: more than the sentinel has */

/* The program of a link; -1 = the descriptor is none. */
static int program_of(int fd)
{
	char path[64], target[64] = "";
	struct bpf_link_info link = { 0 };
	uint32_t size = sizeof(link);

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (readlink(path, target, sizeof(target) - 1) < 0 || !strstr(target, "bpf_link") ||
	    bpf_obj_get_info_by_fd(fd, &link, &size))
		return -1;
	return bpf_prog_get_fd_by_id(link.prog_id);
}

/* By the links of this process: other daemons have programs of these names, too. */
static uint64_t spent_in(const char *name)
{
	for (int fd = 0; fd < DESCRIPTORS; fd++) {
		struct bpf_prog_info info = { 0 };
		uint32_t size = sizeof(info);
		int program = program_of(fd);
		bool is_it = program >= 0 && !bpf_obj_get_info_by_fd(program, &info, &size) &&
			     !strcmp(info.name, name);

		if (program >= 0)
			close(program);
		if (is_it)
			return info.run_time_ns;
	}
	errx(1, "no program %s is attached", name);
}

static uint64_t spent_in_all(const char *const *names)
{
	uint64_t spent = 0;

	for (; *names; names++)
		spent += spent_in(*names);
	return spent;
}

/* Whether the call goes well is no matter: the hooks have run. */
static void call(bool binds)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_port = htons(binds ? OTHER_PORT : ASKED_PORT),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || (binds ? bind(fd, (struct sockaddr *)&a, sizeof(a)) : 0))
		err(1, "bind");
	if (!binds && !connect(fd, (struct sockaddr *)&a, sizeof(a)))
		errx(1, "somebody listens on port %d", ASKED_PORT);
	close(fd);
}

static void measure(bool binds, double *best)
{
	const char *const *names = binds ? of_bind : of_connect;
	uint64_t before = spent_in_all(names);
	double ns;

	for (int i = 0; i < CALLS; i++)
		call(binds);
	ns = (double)(spent_in_all(names) - before) / CALLS;
	if (!*best || ns < *best)
		*best = ns;
}

static void make_rules(const struct kernel_source *kernel)
{
	struct run_rules rules = { .project = 1, .port = FIRST_PORT, .n = RUN_HARDCODED_MAX };
	struct process_id self;
	int r = procfs_identity(getpid(), &self);

	for (uint16_t i = 0; i < RUN_HARDCODED_MAX; i++)
		rules.hardcoded[i] = (struct run_hardcoded){ (uint16_t)(3000 + i),
							     (uint16_t)(FIRST_PORT + i) };
	r = r ?: kernel->set_run_rules(kernel->user_data, RUN, &rules);
	r = r ?: kernel->begin_run(kernel->user_data, RUN, &self);
	for (uint16_t i = RUN_HARDCODED_MAX; !r && i < RULES; i++)
		r = kernel->protect_port(kernel->user_data, (uint16_t)(FIRST_PORT + i), true);
	if (r)
		errx(1, "rules: %s", strerror(-r));
}

struct figures {
	double bind, connect;
};

static void with_sentinel(bool rules, struct figures *best)
{
	const struct kernel_source *kernel;
	struct sentinel *s;

	if (sentinel_new(SENTINEL_TRACE_AUTO, &s))
		errx(1, "no sentinel");
	kernel = sentinel_kernel_source(s);
	if (!kernel->set_run_rules)
		errx(1, "no rules here");
	if (rules)
		make_rules(kernel);
	measure(true, &best->bind);
	measure(false, &best->connect);
	sentinel_free(s);
}

static void enter_own_network(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = unshare(CLONE_NEWNET) ? -1 : socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &lo))
		err(1, "no network namespace");
	close(fd);
}

int main(int argc, char **argv)
{
	struct figures none = { 0 }, rules = { 0 };
	int stats = bpf_enable_stats(BPF_STATS_RUN_TIME);

	if (stats < 0)
		err(1, "the kernel counts no time of programs");
	enter_own_network();
	for (int rounds = argc > 1 ? atoi(argv[1]) : 1; rounds; rounds--) {
		with_sentinel(false, &none);
		with_sentinel(true, &rules);
	}
	printf("%.0f %.0f %.0f %.0f\n", none.bind, rules.bind, none.connect, rules.connect);
	return 0;
}
