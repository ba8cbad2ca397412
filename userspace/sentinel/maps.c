/* SPDX-License-Identifier: MIT */
#include "sentinel/maps.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sentinel/bpf_objects.h"

void maps_init(struct maps *m, const struct bpf_objects *objects)
{
	*m = (struct maps){
		.maps = {
			[ABI_MAP_TRACKED] = objects->listen->maps.tracked,
			[ABI_MAP_HOLDERS] = objects->listen->maps.holders,
			[ABI_MAP_LAUNCHERS] = objects->listen->maps.launchers,
			[ABI_MAP_MEMBERS] = objects->listen->maps.members,
			[ABI_MAP_RUNS] = objects->listen->maps.runs,
			[ABI_MAP_RUN_RULES] = objects->listen->maps.run_rules,
			[ABI_MAP_SIBLINGS] = objects->listen->maps.siblings,
			[ABI_MAP_PROTECTED] = objects->listen->maps.protected_ports,
		},
		.orders = objects->listen->maps.orders,
		.bss = objects->listen->bss,
		.fd = -1,
	};
}

void maps_deinit(struct maps *m)
{
	if (m->order)
		munmap(m->order, sizeof(*m->order));
	m->order = NULL;
	closep(&m->fd);
	m->fd = -1;
}

bool maps_bpf_is_refused(const struct maps *m)
{
	return m->refused;
}

bool maps_are_ordered(const struct maps *m)
{
	return m->order;
}

/* --- orders --- */

/*
 * A connect() of UDP sends nothing, and this one does not come as far as having a port.  That it is
 * refused says nothing, for another program of a cgroup may do that; what the hook has written
 * does.
 */
static int give_order(const struct maps *m, enum abi_verb verb)
{
	const struct sockaddr_in nowhere = { .sin_family = AF_INET,
					     .sin_port = htons(IPPORT_RESERVED),
					     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	volatile struct abi_order *order = m->order;

	order->verb = verb;
	m->bss->rules_in_force++;
	connect(m->fd, (const struct sockaddr *)&nowhere, sizeof(nowhere));
	m->bss->rules_in_force--;
	if (order->verb == ABI_VERB_NONE)
		return (int)order->result;
	order->verb = ABI_VERB_NONE;
	return -ENOTRECOVERABLE;
}

static void write_order(const struct maps *m, enum abi_map map, const void *key, uint64_t flags)
{
	*m->order = (struct abi_order){ .map = map, .flags = flags };
	memcpy(m->order->key, key, bpf_map__key_size(m->maps[map]));
}

/* --- which way --- */

static int open_orders(struct maps *m, const struct bpf_map *orders)
{
	void *at = mmap(NULL, sizeof(*m->order), PROT_READ | PROT_WRITE, MAP_SHARED,
			bpf_map__fd(orders), 0);

	if (at == MAP_FAILED)
		return -errno;
	m->order = at;
	m->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	m->bss->orders_pid = (uint32_t)getpid();
	return m->fd < 0 ? -errno : 0;
}

/* Of this thread alone, and only for a moment. */
static bool bpf_is_refused_without_capabilities(const struct maps *m)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct all[_LINUX_CAPABILITY_U32S_3], none[_LINUX_CAPABILITY_U32S_3];
	const uint64_t key = 0;
	struct abi_run value;
	int fd = bpf_map__fd(m->maps[ABI_MAP_RUNS]), error;

	if (syscall(SYS_capget, &header, all))
		return false;
	memcpy(none, all, sizeof(none));
	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
		none[i].effective = 0;
	if (syscall(SYS_capset, &header, none))
		return false;
	error = bpf_map_lookup_elem(fd, &key, &value) ? errno : 0;
	syscall(SYS_capset, &header, all);
	return error == EPERM;
}

int maps_choose(struct maps *m)
{
	const uint64_t key = 0;
	int r = open_orders(m, m->orders);

	m->refused = getenv(MAPS_ORDERS_VARIABLE) || bpf_is_refused_without_capabilities(m);
	/* there is no such run, and the hook has seen in which namespace it was asked for */
	if (!r) {
		write_order(m, ABI_MAP_RUNS, &key, 0);
		r = give_order(m, ABI_VERB_LOOKUP) == -ENOENT ? 0 : -ENOTRECOVERABLE;
	}
	if (r || !m->refused)
		maps_deinit(m);
	return r;
}

/* --- the maps --- */

int maps_lookup(const struct maps *m, enum abi_map map, const void *key, void *ret)
{
	int r;

	if (!m->order)
		return bpf_map_lookup_elem(bpf_map__fd(m->maps[map]), key, ret) ? -errno : 0;
	write_order(m, map, key, 0);
	r = give_order(m, ABI_VERB_LOOKUP);
	if (!r)
		memcpy(ret, m->order->value, bpf_map__value_size(m->maps[map]));
	return r;
}

int maps_update(const struct maps *m, enum abi_map map, const void *key, const void *value,
		uint64_t flags)
{
	if (!m->order)
		return bpf_map_update_elem(bpf_map__fd(m->maps[map]), key, value, flags) ? -errno
											 : 0;
	write_order(m, map, key, flags);
	memcpy(m->order->value, value, bpf_map__value_size(m->maps[map]));
	return give_order(m, ABI_VERB_UPDATE);
}

int maps_delete(const struct maps *m, enum abi_map map, const void *key)
{
	if (!m->order)
		return bpf_map_delete_elem(bpf_map__fd(m->maps[map]), key) ? -errno : 0;
	write_order(m, map, key, 0);
	return give_order(m, ABI_VERB_DELETE);
}
