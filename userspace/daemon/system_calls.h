/* SPDX-License-Identifier: MIT */
/*
 * The system calls that are left (seccomp).  Any other is answered with ENOSYS, as by a kernel that
 * does not know it: a library that has learned a new call falls back to the old one, and nothing
 * ends the daemon.  The kernel's audit log has what was refused.
 */
#ifndef DAEMON_SYSTEM_CALLS_H
#define DAEMON_SYSTEM_CALLS_H

/* For every thread.  NULL; else one clause that says why nothing is refused. */
const char *system_calls_limit(void);

#endif
