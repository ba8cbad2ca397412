/* SPDX-License-Identifier: MIT */
/*
 * How many files the daemon may have open (RLIMIT_NOFILE), and what of that is left for those whom
 * it serves: with eBPF it has a hundred open itself.
 */
#ifndef DAEMON_DESCRIPTORS_H
#define DAEMON_DESCRIPTORS_H

#include <stdbool.h>
#include <stddef.h>

#define DESCRIPTORS_ERROR_SIZE 256

/*
 * Raises the limit as far as all that base/quota.c gives away needs, where it is lower and the hard
 * limit allows that.  0; -EMFILE, with a sentence, where the daemon cannot do its own work by it.
 */
int descriptors_raise(bool with_ebpf, char ret_error[DESCRIPTORS_ERROR_SIZE]);

/*
 * What clients may have, now that the daemon has opened its own but for the last few; what it opens
 * for a moment is taken off.  0, and the same -EMFILE where that is nothing.
 */
int descriptors_left(unsigned *ret, char ret_error[DESCRIPTORS_ERROR_SIZE]);

#endif
