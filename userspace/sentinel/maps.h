/* SPDX-License-Identifier: MIT */
/*
 * The maps in which the kernel side keeps what user space tells it: read and written by bpf(), or,
 * where that is refused to whoever has given up the capabilities, by orders (bpf/orders.h).
 * Private to the room.
 */
#ifndef SENTINEL_MAPS_H
#define SENTINEL_MAPS_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/abi.h"

struct bpf_map;
struct bpf_objects;
struct portdaddy_listen__bss;

/* Set to anything it has orders given although bpf() would do: so a new kernel can test them. */
#define MAPS_ORDERS_VARIABLE "PORT_DADDY_MAP_ORDERS"

struct maps {
	struct bpf_map *maps[_ABI_MAP_MAX], *orders;
	struct portdaddy_listen__bss *bss;
	bool refused;		 /* bpf() will be */
	struct abi_order *order; /* mapped; NULL = by bpf() */
	int fd;			 /* whose connect() carries them out; -1 */
};

/* By bpf(), until maps_choose(); *objects is borrowed. */
void maps_init(struct maps *m, const struct bpf_objects *objects);
void maps_deinit(struct maps *m);

/*
 * While this process still has its capabilities, and the hook on connect() is attached: tries what
 * will be refused without them, and has the kernel side learn which network namespace this is.  0,
 * -ENOTRECOVERABLE when the hook does not do what it is told, negative errno.
 */
int maps_choose(struct maps *m);
/* No question that takes a call of bpf() can be asked any more, these but by orders. */
bool maps_bpf_is_refused(const struct maps *m);
bool maps_are_ordered(const struct maps *m);

/* 0, negative errno: -ENOENT where there is no such key, -EEXIST with BPF_NOEXIST. */
int maps_lookup(const struct maps *m, enum abi_map map, const void *key, void *ret);
int maps_update(const struct maps *m, enum abi_map map, const void *key, const void *value,
		uint64_t flags);
int maps_delete(const struct maps *m, enum abi_map map, const void *key);

#endif
