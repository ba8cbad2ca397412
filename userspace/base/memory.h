/* SPDX-License-Identifier: MIT */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stdint.h>

/*
 * Memory that is this process's own, in bytes: the proportional set size where the kernel tells it
 * (pages shared with other programs count in part), else the resident set.  0, negative errno.
 */
int memory_own(uint64_t *ret_bytes);

#endif
