/* SPDX-License-Identifier: MIT */
/*
 * The records of the passes over everything that holds a file (struct abi_file_ref), and what they
 * add up to.  Decoding and adding up are pure; reading is a loop around them.  Private to the room.
 */
#ifndef INVENTORY_FILE_REFS_PASS_H
#define INVENTORY_FILE_REFS_PASS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/abi.h"
#include "inventory/file_refs.h"

#define FILE_REFS_RECORDS_MAX \
	(1000 * 1000) /* some 56 MB; more descriptors of 64 sockets is no server */

struct file_ref_record {
	uint32_t target;
	enum abi_file_ref_kind kind;
	uint64_t where;
	uint32_t fd;
	uint32_t references;
	struct process_id id; /* pid 0 = none */
};

/* Grows; freed with file_ref_records_deinit(). */
struct file_ref_records {
	struct file_ref_record *records;
	size_t n, size;
};
void file_ref_records_deinit(struct file_ref_records *records);

/* One record of a pass over n_targets files.  0, or -EBADMSG for what no program of ours writes. */
int file_refs_pass_decode(const void *bytes, size_t size, size_t n_targets, uint64_t ticks_per_s,
			  struct file_ref_record *ret);

/*
 * Reads a pass to its end (fd borrowed) and appends its records.  0; -EBADMSG; -E2BIG beyond
 * FILE_REFS_RECORDS_MAX; -ENOMEM.
 */
int file_refs_pass_read(int fd, size_t n_targets, struct file_ref_records *records);

/* Sorts by file, kind and thing, and drops what two records say of one thing. */
void file_refs_sort(struct file_ref_records *records);

bool file_ref_record_is_descriptor(const struct file_ref_record *record);

/*
 * Adds up the records of n owners' files into ret, sorting them.  `process` of a FILE_REF_SYSCALL
 * keeps a start time of 0.
 */
void file_refs_add_up(struct file_ref_records *records, const struct bind_owner *owners, size_t n,
		      struct file_ref *ret);

#endif
