/* SPDX-License-Identifier: MIT */
/*
 * What libbpf reads in place of all of the kernel's types while our objects are loaded: the subset
 * that they name (types_subset.h), made once for all of them, and kept in a file until another
 * kernel runs or the programs change.
 *
 * With other types the programs would read other parts of the kernel's memory.  So a file is kept
 * and used by root alone, and only if nobody else can have written it, whoever the directory
 * belongs to.  Private to the room.
 */
#ifndef SENTINEL_KERNEL_TYPES_H
#define SENTINEL_KERNEL_TYPES_H

#include "sentinel/types_subset.h"

/* Where the file is; borrowed.  -1, the default: nothing is kept. */
void kernel_types_keep_in(int directory);

/*
 * From here to kernel_types_use_all() libbpf is given the subset; where that cannot be made it goes
 * on as it would.  Returns why the file that was there could not be used, in words; NULL where it
 * could, or where there was none.
 */
const char *kernel_types_use_subset(const struct types_subset_object *objects, size_t n);

/* Not while another thread loads. */
void kernel_types_use_all(void);

#endif
