/* SPDX-License-Identifier: MIT */
#include "base/bind.h"

#include <string.h>

#include "bpf/abi.h"

void bind_owner_decode(const struct abi_owner *from, struct bind_owner *to)
{
	*to = (struct bind_owner){
		.id = from->sock,
		.cookie = from->cookie,
		.inode = from->inode,
		.file_id = from->file,
		.protocol = from->protocol,
		.family = from->family,
		.state = socket_state_of_tcp(from->tcp_state),
		.substate = socket_state_of_tcp(from->tw_substate),
		.peer_port = from->peer_port,
		.v6only = from->v6only,
		.reuseaddr = from->reuseaddr,
		.reuseport = from->reuseport,
		.force_reuse = from->flags & ABI_OWNER_FORCE_REUSE,
		.uid = from->uid,
		.dev = from->dev,
		.file_refs = from->file_refs,
		.minisocket = from->flags & ABI_OWNER_MINISOCKET,
		.kernel = from->flags & ABI_OWNER_KERNEL,
		.port_asked = from->flags & ABI_OWNER_PORT_LOCK,
		.connect_bound = from->flags & ABI_OWNER_CONNECT_BIND,
		.shut_down = from->flags & ABI_OWNER_SHUT_DOWN,
		.mptcp = from->flags & ABI_OWNER_MPTCP,
		.sleeper = (pid_t)from->sleeper,
	};
	memcpy(to->addr.bytes, from->addr, sizeof(to->addr.bytes));
	memcpy(to->peer.bytes, from->peer, sizeof(to->peer.bytes));
}

void bind_netns_decode(const struct abi_netns *from, struct bind_netns *to)
{
	*to = (struct bind_netns){
		.cookie = from->cookie,
		.known = from->known,
		.ephemeral_first = from->ephemeral_first,
		.ephemeral_last = from->ephemeral_last,
		.unprivileged_start = from->unprivileged_start,
		.nonlocal_ipv4 = from->nonlocal & ABI_NONLOCAL_IPV4,
		.nonlocal_ipv6 = from->nonlocal & ABI_NONLOCAL_IPV6,
	};
}
