/* SPDX-License-Identifier: MIT */
/*
 * The byte stream of a full pass over all processes' descriptors: struct abi_process_event, then
 * the struct abi_holder records of that process (bpf/abi.h).  Decoding is pure and never trusts a
 * size, a length or a terminator; reading is a loop around it.
 */
#ifndef INVENTORY_HOLDERS_PASS_H
#define INVENTORY_HOLDERS_PASS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/net.h"
#include "base/process.h"

#define HOLDERS_PASS_RECORDS_MAX \
	(4 * 1000 * 1000) /* more than pids times sockets of a real machine */

/* One descriptor that refers to a socket. */
struct pass_holder {
	struct process_id id;
	uid_t uid;
	char comm[PROCESS_COMM_SIZE];
	uint64_t cgroup_id; /* of the process */
	int fd;
	bool private_table; /* of one thread, not the process's */
	uint64_t cookie, inode;
	uint32_t netns, dev, file_refs;
	uid_t sk_uid;
	uint16_t protocol, port;
	uint8_t family;
	enum socket_state state;
	struct net_addr addr;
	bool v6only;
};

enum pass_kind { PASS_PROCESS = 1, PASS_HOLDER };

struct pass_record {
	enum pass_kind kind;
	union {
		struct process process;
		struct pass_holder holder;
	};
};

/*
 * Decodes the record at the start of the bytes.  0 with its length in *ret_used; 0 with *ret_used 0
 * when the bytes end inside it; -EBADMSG for a kind, size or value that no program of ours writes.
 */
int holders_pass_decode(const void *bytes, size_t size, uint64_t ticks_per_s,
			struct pass_record *ret, size_t *ret_used);

/* A stream that is read in parts.  Consumes the descriptor, also where it fails.  0, -ENOMEM. */
struct holders_pass;
int holders_pass_open(int fd, struct holders_pass **ret);
void holders_pass_close(struct holders_pass *pass);

/*
 * Reads once, up to some 300 records, and calls visit for each, which is borrowed for the call: no
 * record that the kernel has handed out waits until the next time.  visit returns 0, or a negative
 * errno that ends the pass and is passed on.  0; -EBADMSG also for a stream that ends inside a
 * record; -E2BIG beyond HOLDERS_PASS_RECORDS_MAX.
 */
typedef int (*holders_pass_visit)(const struct pass_record *record, void *user_data);
int holders_pass_next(struct holders_pass *pass, holders_pass_visit visit, void *user_data,
		      bool *ret_more);

#endif
