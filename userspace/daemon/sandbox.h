/* SPDX-License-Identifier: MIT */
/*
 * What the daemon can do once it serves, held by the kernel and not by its own code: whoever makes
 * it run something else finds a process that starts no program, signals nobody, loads no eBPF, and
 * writes no file but its own.  It is entered once, behind privileges_drop(), before anything is
 * read that a client or a file has, and before any thread is there that stays; it cannot be left.
 *
 *   limits         lower resource limits, and memory that was written is never run
 *   landlock.h     which files are read and written, no TCP port is bound, nobody is signalled
 *   system_calls.h which system calls there are
 *
 * What this kernel lacks is said and is no reason not to serve: a daemon without it is no worse
 * than any other program.
 */
#ifndef DAEMON_SANDBOX_H
#define DAEMON_SANDBOX_H

#include <stdbool.h>

#include "base/sandbox_report.h"

struct sandbox_config {
	const char *directory; /* of the state: written and read */
	const char *socket;    /* its file is made, and removed at the end */
	bool socket_directory_is_own;
	/* Without eBPF who holds a socket is read from /proc/PID/fd, which Landlock shuts. */
	bool reads_descriptors;
};

void sandbox_enter(const struct sandbox_config *config, struct sandbox_report *ret);

#endif
