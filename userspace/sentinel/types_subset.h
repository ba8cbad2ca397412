/* SPDX-License-Identifier: MIT */
/*
 * The kernel's types (BTF) without what the programs of an object do not name.
 *
 * libbpf finds members, hooks and functions by going through all of the kernel's types, which are
 * 130,000 with five megabytes of names and members, and it does so for each type that the programs
 * name.  Of those that they name everything is kept, and of what is embedded in them; of all others
 * the id and the kind are: ids are what the kernel is given, and a member fits by its kind.  So
 * whatever is asked about the programs is answered as by all of the types.  Private to the room.
 */
#ifndef SENTINEL_TYPES_SUBSET_H
#define SENTINEL_TYPES_SUBSET_H

#include <stddef.h>

struct btf;

/* An object as the compiler made it (ELF). */
struct types_subset_object {
	const void *bytes;
	size_t size;
};

/*
 * The subset of `kernel` for these objects, as BTF in one piece, of the same number of types and
 * the same length of names, on which the types of modules build; free() it.  0, negative errno.
 */
int types_subset_new(const struct btf *kernel, const struct types_subset_object *objects, size_t n,
		     void **ret, size_t *ret_size);

#endif
