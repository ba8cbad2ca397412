/* SPDX-License-Identifier: MIT */
/* The passes over everything that holds a file (bpf/file_refs.h).  Private to the room. */
#ifndef SENTINEL_FILE_REF_PASS_H
#define SENTINEL_FILE_REF_PASS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/abi.h"

struct bpf_link;

/*
 * Names the n files to the kernel side, in the place of those of the last pass, and opens a pass.
 * A new descriptor, owned by the caller; -E2BIG beyond ABI_FILE_REF_FILES_MAX, negative errno.
 */
int file_ref_pass_open(const struct bpf_link *link, int targets_map, const uint64_t *files,
		       size_t n);

/*
 * Holds `socket`, a TCP socket of ours whose file is named `file`, in the way that this pass must
 * find, and looks whether it does.
 */
bool file_ref_pass_prove(enum abi_file_ref_pass pass, const struct bpf_link *link, int targets_map,
			 uint64_t file, int socket);

#endif
