/* SPDX-License-Identifier: MIT */
/*
 * Runs a command as if it stood in our place: with our standard streams, in our process group, with
 * the signals that are sent to us, and its exit code as ours.
 */
#ifndef CLI_SUPERVISE_SUPERVISE_H
#define CLI_SUPERVISE_SUPERVISE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct supervision {
	const char *const *argv; /* ends with NULL; argv[0] is looked for in PATH */
	bool outlives_us;	 /* it goes on when we are killed; else it gets SIGTERM then */
	int64_t every_ms;	 /* how often `tick` is called while it runs; 0 = never */
	/* False ends the command with SIGTERM, once. */
	bool (*tick)(void *user_data);
	/* Called when the descriptor is readable; both may be changed in each callback. */
	int fd; /* borrowed; counts where `readable` is set; -1 = none for now */
	void (*readable)(void *user_data);
	/* SIGINT, SIGTERM, SIGHUP or SIGQUIT has come, and the command has it; NULL = nobody asks.
	 */
	void (*asked_to_end)(int signal, void *user_data);
	void *user_data;

	/* filled in, of the command: */
	pid_t pid;
	int status;	   /* as waitpid() has it */
	uint64_t asked_by; /* signals that have come and that it has, too: a bit each */
};

/*
 * Runs it to its end.  Its exit code; 128 + N when signal N ended it; 126 when it could not be run,
 * 127 when it was not found; or a negative errno when no process could be started.
 *
 * SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2 and SIGWINCH are passed on unless the terminal
 * has sent them, which sends to every process of the group by itself.  When the command stops and
 * we are a job of a shell, we stop as well, so that the shell hears of it, and when we go on it
 * does.  Children that others have left to us (PR_SET_CHILD_SUBREAPER) are reaped.
 */
int supervise(struct supervision *s);

/* "node (pid 4711): Segmentation fault (core dumped)", as a shell says it of a signal that nobody
 * has asked for; false where it ended otherwise. */
#define SUPERVISE_WORDS_SIZE 128
bool supervise_explain_end(const struct supervision *s, char ret[static SUPERVISE_WORDS_SIZE]);

#endif
