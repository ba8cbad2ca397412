/* SPDX-License-Identifier: MIT */
/*
 * turns ROUNDS COMMAND… -- COMMAND… [-- …]: runs whole processes in turn, from before their start
 * to their reaped end, and prints for each round a line of nanoseconds, one figure a command.
 * A "--" of a command itself is written "\\--".  vfork keeps the starting side the same for all.
 * Output goes to /dev/null; exit codes 0 and 1 are answers (found or not); anything else ends the
 * measuring.
 */
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tool.h"

#define COMMANDS_MAX 8
#define WARM_ROUNDS  2 /* page cache, and the daemon's own */
#define ANSWERS_MAX  1

extern char **environ;

static int64_t run(char **argv, const posix_spawn_file_actions_t *quiet)
{
	int64_t began = now_ns();
	int status, error;
	pid_t pid;

	error = posix_spawnp(&pid, argv[0], quiet, NULL, argv, environ);
	if (error)
		errx(1, "%s: %s", argv[0], strerror(error));
	if (waitpid(pid, &status, 0) != pid)
		err(1, "waitpid");
	if (!WIFEXITED(status) || WEXITSTATUS(status) > ANSWERS_MAX)
		errx(1, "%s %s: wait status 0x%x", argv[0], argv[1] ? argv[1] : "", status);
	return now_ns() - began;
}

int main(int argc, char **argv)
{
	posix_spawn_file_actions_t quiet;
	char **commands[COMMANDS_MAX];
	int n = 0, rounds = argc > 2 ? atoi(argv[1]) : 0;

	if (rounds <= 0)
		errx(2, "usage: turns ROUNDS COMMAND… -- COMMAND…");
	commands[n++] = argv + 2;
	for (int i = 2; i < argc; i++) {
		if (strcmp(argv[i], "\\--") == 0) {
			argv[i]++;
			continue;
		}
		if (strcmp(argv[i], "--") != 0)
			continue;
		argv[i] = NULL;
		if (n == COMMANDS_MAX)
			errx(2, "more than %d commands", COMMANDS_MAX);
		commands[n++] = argv + i + 1;
	}
	posix_spawn_file_actions_init(&quiet);
	posix_spawn_file_actions_addopen(&quiet, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	for (int round = -WARM_ROUNDS; round < rounds; round++) {
		for (int i = 0; i < n; i++) {
			int64_t ns = run(commands[i], &quiet);

			if (round >= 0)
				printf("%lld%s", (long long)ns, i + 1 < n ? " " : "\n");
		}
	}
	return 0;
}
