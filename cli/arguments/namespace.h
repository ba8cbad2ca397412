/* SPDX-License-Identifier: MIT */
/* A network namespace as people name it, and as the daemon needs it: by a process in it. */
#ifndef CLI_ARGUMENTS_NAMESPACE_H
#define CLI_ARGUMENTS_NAMESPACE_H

#define NAMESPACE_DIRECTORY "/run/netns"
#define NAMESPACE_TEXT_SIZE 256 /* NAME_MAX and a NUL */

/*
 * Checks a pid, or a name in NAMESPACE_DIRECTORY.  A name becomes the pid of a process that lives
 * there, where the caller may see one, else it stays (the daemon knows holders of sockets).
 * 0; -ESRCH for a pid that is gone; -ENOENT.
 */
int namespace_find(const char *text, char ret[static NAMESPACE_TEXT_SIZE]);

#endif
