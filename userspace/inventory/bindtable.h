/* SPDX-License-Identifier: MIT */
/*
 * Every owner of a port as the kernel's own bind table lists it: listeners, sockets that are only
 * bound, connections, TIME_WAIT entries, orphans, the kernel's own sockets, with the flags that no
 * netlink answer carries.  Read by a walk of the table inside the kernel (bpf/ask.bpf.c), which
 * takes no lock: it is repeated until two walks agree.
 */
#ifndef INVENTORY_BINDTABLE_H
#define INVENTORY_BINDTABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/bind.h"
#include "base/kernel_source.h"
#include "base/net.h"

#define BINDTABLE_TRIES	 5     /* walks made until two agree */
#define BINDTABLE_OWNERS 65536 /* owners read of one port; more is -E2BIG */

/*
 * The owners in the order in which the kernel looks at them.  UDP: the primary chain; where the
 * slot is crowded and the asked address specific, the kernel looks at the chains of the address
 * hash instead: then `secondary` is true and `owners` is chain(address) followed by
 * chain(wildcard).
 */
struct bind_table {
	uint32_t netns;
	bool stable; /* two walks agreed */
	struct bind_netns netns_settings;
	struct bind_bucket bucket;
	struct bind_owner *owners;
	size_t n_owners;
	bool secondary;
	size_t n_first_chain; /* secondary: how many of owners are in the address's own chain */
};

struct bindtable_question {
	uint16_t protocol; /* IPPROTO_TCP or IPPROTO_UDP */
	uint16_t port;
	pid_t pid;	/* in the network namespace of this process; 0 = our own */
	uint8_t family; /* UDP: the address that will be bound, which chooses the chains */
	struct net_addr addr;
};

/*
 * Reads the table.  0 and *ret filled, its owners freed with bindtable_deinit(); -ESRCH when the
 * process is gone; -EOPNOTSUPP where the kernel cannot be walked; -E2BIG; -ENOMEM.
 */
int bindtable_read(const struct kernel_source *kernel, const struct bindtable_question *question,
		   struct bind_table *ret);
void bindtable_deinit(struct bind_table *table);

#endif
