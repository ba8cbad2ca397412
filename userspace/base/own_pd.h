/* SPDX-License-Identifier: MIT */
/*
 * How to type the pd that belongs to this program, which is pd itself or the daemon beside it: a
 * command that is printed has to work where it is typed, and sudo looks in its own places only.
 */
#ifndef BASE_OWN_PD_H
#define BASE_OWN_PD_H

#include <limits.h>
#include <stddef.h>

#define OWN_PD_SIZE (2 * PATH_MAX)

/* "pd" where the caller's PATH leads to it, else its whole path, quoted where a shell needs it. */
const char *own_pd(char ret[OWN_PD_SIZE]);
/*
 * "sudo pd" where sudo finds it, else "sudo" and its whole path; with $PORT_DADDY_HOME where that
 * is set, which sudo takes away.
 */
const char *own_pd_sudo(char ret[OWN_PD_SIZE]);

/* The directory of the running program, without a slash at its end.  0, negative errno. */
int own_directory(char *ret, size_t size);

#endif
