/* SPDX-License-Identifier: MIT */
/*
 * Runs a command as if it stood in our place: with our standard streams, in our process group, with
 * the signals that are sent to us, and its exit code as ours.
 */
#ifndef CLI_SUPERVISE_SUPERVISE_H
#define CLI_SUPERVISE_SUPERVISE_H

#include <stdbool.h>
#include <stdint.h>

struct supervision {
	const char *const *argv; /* ends with NULL; argv[0] is looked for in PATH */
	int64_t every_ms;	 /* how often `tick` is called while it runs; 0 = never */
	/* False ends the command with SIGTERM, once. */
	bool (*tick)(void *user_data);
	void *user_data;
};

/*
 * Runs it to its end.  Its exit code; 128 + N when signal N ended it; 126 when it could not be run,
 * 127 when it was not found; or a negative errno when no process could be started.
 *
 * SIGINT, SIGTERM, SIGHUP and SIGQUIT are passed on unless the terminal has sent them, which sends
 * to every process of the group by itself.  When we are killed, the command gets SIGTERM.
 */
int supervise(const struct supervision *s);

#endif
