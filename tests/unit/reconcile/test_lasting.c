/* SPDX-License-Identifier: MIT */
/* Which ancestor lasts, and which only stand in between. */
#include "reconcile/lasting.h"
#include "testing.h"

#define ANCESTORS 4

/* The command lines of the ancestors, nearest first; words are apart by spaces. */
struct chain {
	const char *what;
	const char *argv[ANCESTORS];
	int lasts;
};

static void read_argv(const struct process_id *id, char ret[LASTING_ARGV_SIZE], void *user_data)
{
	const struct chain *chain = user_data;
	const char *line = chain->argv[id->pid - 100];
	size_t n = strlen(line);

	memset(ret, 0, LASTING_ARGV_SIZE);
	for (size_t i = 0; i < n; i++)
		ret[i] = line[i] == ' ' ? '\0' : line[i];
}

static int lasting(const struct chain *chain)
{
	struct process process = { .id = { 99, 1 } };

	while (process.n_ancestors < ANCESTORS && chain->argv[process.n_ancestors]) {
		process.ancestors[process.n_ancestors].id.pid = 100 + process.n_ancestors;
		process.n_ancestors++;
	}
	return lasting_ancestor(&process, read_argv, (void *)chain);
}

static const struct chain chains[] = {
	{ "a terminal's shell", { "-bash" }, 0 },
	{ "a shell by its path", { "/usr/bin/zsh -i" }, 0 },
	{ "a script", { "bash ./deploy.sh", "-bash" }, 0 },
	{ "a script with the shell's options",
	  { "bash -eu -o pipefail deploy.sh -c", "-bash" },
	  0 },
	{ "one command line", { "sh -c true;pd", "node agent.js" }, 1 },
	{ "… with other options", { "bash -lc pd", "node agent.js" }, 1 },
	{ "… with a long option before it", { "bash --norc -ec pd", "node agent.js" }, 1 },
	{ "… behind an option's argument", { "bash -o pipefail -c pd", "node agent.js" }, 1 },
	{ "a subshell of a script", { "bash x.sh", "bash x.sh", "-bash" }, 1 },
	{ "a pipe in a subshell", { "bash x.sh", "bash x.sh", "bash x.sh" }, 2 },
	{ "a script that another one runs", { "bash y.sh", "bash x.sh" }, 0 },
	{ "sudo in a terminal", { "sudo pd lock x", "-bash" }, 1 },
	{ "timeout and env", { "timeout 5 pd", "/usr/bin/env pd", "-zsh" }, 2 },
	{ "xargs in a pipe", { "xargs pd lock", "bash x.sh", "bash x.sh" }, 2 },
	{ "node with code", { "sh -c pd", "node -e code", "bash x.sh" }, 2 },
	{ "node with a program", { "sh -c pd", "node server.js", "bash x.sh" }, 1 },
	{ "python with code", { "python3.11 -c code", "bash x.sh" }, 1 },
	{ "python with code and options", { "/usr/bin/python3 -u -c code", "bash x.sh" }, 1 },
	{ "python with a program", { "python3 -u x.py -c", "-bash" }, 0 },
	{ "a program that is none of these", { "pythonic -c x", "-bash" }, 0 },
	{ "make", { "sh -c pd", "make deploy", "-bash" }, 1 },
	{ "an ended one is passed over", { "", "-bash" }, 1 },
	{ "cron", { "sh -c pd", "/usr/sbin/cron -f" }, -1 },
	{ "a service manager", { "sh -c pd", "/lib/systemd/systemd --user", "-bash" }, -1 },
	{ "ssh with a command", { "bash -c pd", "/usr/sbin/sshd", "-bash" }, -1 },
	{ "nobody", { NULL }, -1 },
	{ "nobody but one command line", { "sh -c pd" }, -1 },
};

TEST(the_nearest_that_lasts_is_found)
{
	for (size_t i = 0; i < ARRAY_SIZE(chains); i++)
		if (lasting(&chains[i]) != chains[i].lasts)
			fail_msg("%s: %d", chains[i].what, lasting(&chains[i]));
}

TEST(nothing_belongs_to_init)
{
	const struct chain chain = { .argv = { "sh -c pd" } };
	struct process process = { .id = { 99, 1 }, .n_ancestors = 2 };

	process.ancestors[0].id.pid = 100;
	process.ancestors[1].id.pid = 1;
	assert_int_equal(lasting_ancestor(&process, read_argv, (void *)&chain), -1);
}

TEST_MAIN(NULL, NULL)
