/* SPDX-License-Identifier: MIT */
#include "reconcile/lasting.h"

#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

/* Programs that run another one, and end with it. */
static const char *const wrappers[] = {
	"sudo",	  "doas",   "runuser", "timeout", "xargs",    "env",	  "nohup",
	"nice",	  "ionice", "chrt",    "taskset", "strace",   "ltrace",	  "time",
	"stdbuf", "setsid", "script",  "flock",	  "unbuffer", "parallel",
};

/* They are above everybody, and what belongs to them ends never. */
static const char *const everlasting[] = {
	"init",	       "systemd",	  "sshd",
	"cron",	       "crond",		  "atd",
	"login",       "screen",	  "SCREEN",
	"tmux",	       "dumb-init",	  "tini",
	"docker-init", "containerd-shim", "containerd-shim-runc-v2",
};

static const char *const shells[] = {
	"sh", "bash", "dash", "zsh", "ksh", "mksh", "ash", "fish", "busybox",
};

/* Interpreters, and the options behind which the program itself stands. */
static const struct {
	const char *name, *options;
} interpreters[] = {
	{ "python", "c" }, { "node", "ep" },   { "perl", "eE" }, { "ruby", "e" },
	{ "php", "r" },	   { "nodejs", "ep" }, { "deno", "" },	 { "bun", "e" },
};

/* The program's name: without its directory, and the dash of a login shell. */
static const char *name_of(const char *argv)
{
	const char *slash = strrchr(argv, '/');

	return slash ? slash + 1 : argv + (*argv == '-');
}

/*
 * Is one of these letters among the options before the first operand, alone or together with others
 * ("-lc")?  Of a shell's options -o has an argument.
 */
static bool has_option(const char *argv, const char *letters)
{
	const char *word = argv + strlen(argv) + 1;

	for (; *word == '-' || *word == '+'; word += strlen(word) + 1) {
		if (strcmp(word, "--eval") == 0 || strcmp(word, "--print") == 0)
			return true;
		if (word[1] != '-' && strpbrk(word + 1, letters))
			return true;
		if (strcmp(word + 1, "o") == 0)
			word += strlen(word) + 1;
	}
	return false;
}

/* "python3.11" is a python. */
static bool runs_its_argument(const char *name, const char *argv)
{
	for (size_t i = 0; i < ARRAY_SIZE(interpreters); i++) {
		size_t n = strlen(interpreters[i].name);

		if (strncmp(name, interpreters[i].name, n) == 0 &&
		    strspn(name + n, "0123456789.") == strlen(name + n))
			return has_option(argv, interpreters[i].options);
	}
	return false;
}

/* What a child has that its parent forked and that did not execute anything since. */
static bool is_same_image(const char *a, const char *b)
{
	size_t at = 0, n;

	do {
		n = strlen(a + at);
		if (strcmp(a + at, b + at) != 0)
			return false;
		at += n + 1;
	} while (n);
	return true;
}

int lasting_ancestor(const struct process *process, lasting_read_argv read, void *user_data)
{
	char argv[LASTING_ARGV_SIZE], above[LASTING_ARGV_SIZE];

	for (int i = 0; i < process->n_ancestors && i < PROCESS_ANCESTORS_MAX; i++) {
		const struct process_ancestor *a = &process->ancestors[i];
		const char *name;
		bool is_shell;

		if (a->id.pid <= 1)
			return -1;
		read(&a->id, argv, user_data);
		name = name_of(argv);
		is_shell = text_is_one_of(name, shells, ARRAY_SIZE(shells));
		if (text_is_one_of(name, everlasting, ARRAY_SIZE(everlasting)) ||
		    strncmp(a->comm, "tmux: server", PROCESS_COMM_SIZE) == 0)
			return -1;
		if (!*argv || text_is_one_of(name, wrappers, ARRAY_SIZE(wrappers)) ||
		    (is_shell && has_option(argv, "c")) || runs_its_argument(name, argv))
			continue;
		above[0] = above[1] = '\0';
		if (is_shell && i + 1 < process->n_ancestors)
			read(&process->ancestors[i + 1].id, above, user_data);
		if (!is_shell || !is_same_image(argv, above))
			return i;
	}
	return -1;
}
