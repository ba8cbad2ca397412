/* SPDX-License-Identifier: MIT */
/*
 * Landlock (Linux 5.13): an unprivileged process gives up files for good.  Each process that is
 * held by it may look into no other one either, whatever its user is (ptrace and all that asks for
 * the same right: /proc/PID/fd, exe, cwd, environ), so it is for a daemon that eBPF tells of these.
 */
#ifndef DAEMON_LANDLOCK_H
#define DAEMON_LANDLOCK_H

struct sandbox_config;

/*
 * The version of the interface that is in force from now on, for this thread and those that it will
 * start: 1 files; 3 files that are open are not cut either; 4 no TCP port is bound; 6 no signal
 * leaves.  Else 0, nothing is given up, and *ret_why is one clause that says why.
 */
int landlock_enter(const struct sandbox_config *config, const char **ret_why);

#endif
