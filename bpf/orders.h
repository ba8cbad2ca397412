/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Orders: how user space writes into the maps, and reads them, where bpf() is refused to a process
 * without capabilities although it has the descriptors (before 5.19, c8644cd0efe7, where
 * kernel.unprivileged_bpf_disabled is not 0).  It puts an order into mapped memory, by plain
 * stores, and calls connect(), whose hook carries it out in the same thread.
 */
#ifndef BPF_ORDERS_H
#define BPF_ORDERS_H

#include "abi.h"
#include "rules.h"
#include "state.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct abi_order);
} orders SEC(".maps");

/* NULL unless this very process has given one. */
static __always_inline struct abi_order *order_of_caller(void)
{
	struct abi_order *order;
	__u32 first = 0;

	if (orders_pid != current_pid())
		return NULL;
	order = bpf_map_lookup_elem(&orders, &first);
	return order && order->verb ? order : NULL;
}

static __always_inline long apply_order(void *map, struct abi_order *order, const __u32 size)
{
	void *found;

	if (order->verb == ABI_VERB_UPDATE)
		return bpf_map_update_elem(map, order->key, order->value, order->flags);
	if (order->verb == ABI_VERB_DELETE)
		return bpf_map_delete_elem(map, order->key);
	found = bpf_map_lookup_elem(map, order->key);
	if (!found)
		return -ABI_ENOENT;
	__builtin_memcpy(order->value, found, size);
	return 0;
}

static __always_inline long choose_map(struct abi_order *order)
{
	switch (order->map) {
	case ABI_MAP_TRACKED:
		return apply_order(&tracked, order, sizeof(__u8));
	case ABI_MAP_HOLDERS:
		return apply_order(&holders, order, sizeof(__u64));
	case ABI_MAP_LAUNCHERS:
		return apply_order(&launchers, order, sizeof(__u64));
	case ABI_MAP_MEMBERS:
		return apply_order(&members, order, sizeof(struct abi_member));
	case ABI_MAP_RUNS:
		return apply_order(&runs, order, sizeof(struct abi_run));
	case ABI_MAP_RUN_RULES:
		return apply_order(&run_rules, order, sizeof(struct abi_run_rules));
	case ABI_MAP_SIBLINGS:
		return apply_order(&siblings, order, sizeof(struct abi_siblings));
	case ABI_MAP_PROTECTED:
		return apply_order(&protected_ports, order, sizeof(__u8));
	}
	return -ABI_ENOENT;
}

/* The connect() is refused: nothing is left of it. */
static __always_inline int carry_out(struct bpf_sock_addr *ctx, struct abi_order *order)
{
	own_netns = bpf_get_netns_cookie(ctx);
	order->result = choose_map(order);
	order->verb = ABI_VERB_NONE;
	return 0;
}

#endif
