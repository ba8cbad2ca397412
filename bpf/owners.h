/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The owners of a port, as the kernel's own bind table lists them: what the walk answers and what
 * the record of a refusal carries.  No netlink answer has all of them, nor their flags.  Takes no
 * lock; user space repeats a walk until two of them agree.
 *
 * TCP: hashinfo->bhash[(port + hash_mix) & (size - 1)] → the port's bucket → a bucket for each
 * address → its owners (since 6.8; before, the port's bucket has the owners itself).
 * UDP: udp_table->hash[(port + hash_mix) & mask] → sockets of every port of the slot.
 */
#ifndef BPF_OWNERS_H
#define BPF_OWNERS_H

#include "abi.h"
#include "kernel_access.h"
#include "repeat.h"

#define CHAIN_MAX TURNS(1024 * 1024, 128) /* steps along one chain; the kernel allows 8 million */

enum { STEP_AGAIN = 0, STEP_LAST = 1 }; /* for REPEAT() */

/* --- one owner --- */

static __always_inline void fill_owner_address(struct abi_owner *to, const struct sock *sk)
{
	__u32 *addr = (__u32 *)to->addr, *peer = (__u32 *)to->peer;

	to->peer_port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	if (to->family == AF_INET) {
		addr[0] = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
		peer[0] = BPF_CORE_READ(sk, __sk_common.skc_daddr);
		return;
	}
	BPF_CORE_READ_INTO(&to->addr, sk, __sk_common.skc_v6_rcv_saddr);
	BPF_CORE_READ_INTO(&to->peer, sk, __sk_common.skc_v6_daddr);
}

/* What sockets, time-wait entries and requests have in common (struct sock_common). */
static __always_inline void fill_owner_common(struct abi_owner *to, const struct sock *sk)
{
	to->sock = (__u64)sk;
	to->family = BPF_CORE_READ(sk, __sk_common.skc_family);
	to->tcp_state = BPF_CORE_READ(sk, __sk_common.skc_state);
	to->cookie = BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
	to->dev = BPF_CORE_READ(sk, __sk_common.skc_bound_dev_if);
	to->v6only = BPF_CORE_READ_BITFIELD_PROBED(sk, __sk_common.skc_ipv6only);
	to->reuseaddr = BPF_CORE_READ_BITFIELD_PROBED(sk, __sk_common.skc_reuse);
	to->reuseport = BPF_CORE_READ_BITFIELD_PROBED(sk, __sk_common.skc_reuseport);
	if (to->reuseaddr > 1) /* SK_FORCE_REUSE */
		to->flags |= ABI_OWNER_FORCE_REUSE;
	fill_owner_address(to, sk);
}

/* shutdown() of a listener disconnects it (inet_shutdown), which clears sk_shutdown; that it once
 * listened is seen by its backlog. */
static __always_inline bool was_shut_down(const struct abi_owner *to, const struct sock *sk)
{
	if (BPF_CORE_READ(sk, sk_shutdown) == SHUTDOWN_BOTH)
		return true;
	return to->tcp_state == TCP_CLOSE && BPF_CORE_READ(sk, sk_max_ack_backlog) != 0;
}

static __always_inline __u32 owner_lock_flags(const struct sock *sk)
{
	/* four bits of a byte on older kernels */
	__u8 locks = BPF_CORE_READ_BITFIELD_PROBED(sk, sk_userlocks);
	__u32 flags = 0;

	if (locks & SOCK_BINDADDR_LOCK)
		flags |= ABI_OWNER_ADDR_LOCK;
	if (locks & SOCK_BINDPORT_LOCK)
		flags |= ABI_OWNER_PORT_LOCK;
	if (locks & SOCK_CONNECT_BIND)
		flags |= ABI_OWNER_CONNECT_BIND;
	return flags;
}

static __always_inline void fill_owner_file(struct abi_owner *to, const struct sock *sk,
					    struct file *file)
{
	struct waiters waiters = {};

	to->file = (__u64)file;
	to->inode = BPF_CORE_READ(file, f_inode, i_ino);
	sock_waiters(sk, file, &waiters);
	to->sleeper = waiters.sleeper;
	to->file_refs = lasting_references(file_references_probed(file), &waiters);
}

/*
 * Global, so that the verifier looks at it once for a program and not once for every state in which
 * a walk may come here; hence the socket as a number.  The result means nothing.
 */
GLOBAL int fill_owner(struct abi_owner *to, __u64 address)
{
	const struct sock *sk = (const struct sock *)address;
	struct socket *socket;
	struct file *file;

	if (!to)
		return 0;
	__builtin_memset(to, 0, sizeof(*to));
	fill_owner_common(to, sk);
	if (to->tcp_state == TCP_TIME_WAIT || to->tcp_state == TCP_NEW_SYN_RECV) {
		to->flags |= ABI_OWNER_MINISOCKET | ABI_OWNER_NO_FILE;
		if (to->tcp_state == TCP_TIME_WAIT)
			to->tw_substate = BPF_CORE_READ((struct inet_timewait_sock *)sk,
							tw_substate);
		return 0;
	}
	to->protocol = BPF_CORE_READ(sk, sk_protocol);
	to->uid = BPF_CORE_READ(sk, sk_uid.val);
	to->flags |= owner_lock_flags(sk);
	if (was_shut_down(to, sk))
		to->flags |= ABI_OWNER_SHUT_DOWN;
	if (!BPF_CORE_READ_BITFIELD_PROBED(sk, __sk_common.skc_net_refcnt))
		to->flags |= ABI_OWNER_KERNEL;
	if (to->protocol == IPPROTO_TCP && tcp_is_mptcp_probed((const struct tcp_sock *)sk))
		to->flags |= ABI_OWNER_MPTCP;
	socket = BPF_CORE_READ(sk, sk_socket);
	file = socket ? BPF_CORE_READ(socket, file) : NULL;
	if (file)
		fill_owner_file(to, sk, file);
	else
		to->flags |= ABI_OWNER_NO_FILE;
	return 0;
}

/* --- along the chains --- */

struct owners_walk {
	void *to;		    /* the record to be filled */
	struct hlist_node *bucket2; /* the next address's bucket; NULL after the last */
	struct hlist_node *owner;
	const struct net *net;
	__u32 node_offset; /* of the chain's node in struct sock */
	__u32 passed_over;
	__u16 port;
	bool udp;    /* chains are shared by ports and namespaces */
	bool others; /* of a refusal: the second turn, for the less likely culprits */
};

static __always_inline bool is_asked_for(const struct owners_walk *w, const struct sock *sk)
{
	if (!w->udp)
		return true;
	return BPF_CORE_READ(sk, __sk_common.skc_u16hashes[0]) == w->port &&
	       BPF_CORE_READ(sk, __sk_common.skc_net.net) == w->net;
}

static __always_inline long step_to_next_address(struct owners_walk *w)
{
	struct hlist_node *node = w->bucket2;
	struct inet_bind2_bucket *bucket;

	if (!node)
		return STEP_LAST;
	bucket = (void *)node - bpf_core_field_offset(struct inet_bind2_bucket, bhash_node);
	w->owner = BPF_CORE_READ(bucket, owners.first);
	w->bucket2 = BPF_CORE_READ(bucket, bhash_node.next);
	return STEP_AGAIN;
}

/* The socket that the walk stands on, and one step onwards. */
static __always_inline const struct sock *take_owner(struct owners_walk *w)
{
	struct hlist_node *node = w->owner;

	w->owner = BPF_CORE_READ(node, next);
	return (void *)node - w->node_offset;
}

struct bucket_search {
	const struct net *net;
	struct hlist_node *node;
	struct inet_bind_bucket *found;
	__u16 port;
};

static long bucket_step(__u64 turn, struct bucket_search *s)
{
	struct hlist_node *node = s->node;
	struct inet_bind_bucket *bucket;

	if (!node)
		return STEP_LAST;
	bucket = (void *)node - bpf_core_field_offset(struct inet_bind_bucket, node);
	if (BPF_CORE_READ(bucket, port) == s->port && BPF_CORE_READ(bucket, ib_net.net) == s->net) {
		s->found = bucket;
		return STEP_LAST;
	}
	s->node = BPF_CORE_READ(node, next);
	return STEP_AGAIN;
}

static __always_inline struct inet_bind_bucket *find_bucket(const struct net *net, __u16 port)
{
	struct inet_hashinfo *info = BPF_CORE_READ(net, ipv4.tcp_death_row.hashinfo);
	__u32 slot = (port + BPF_CORE_READ(net, hash_mix)) & (BPF_CORE_READ(info, bhash_size) - 1);
	struct inet_bind_hashbucket *chain = (void *)BPF_CORE_READ(info, bhash) +
					     slot * bpf_core_type_size(struct inet_bind_hashbucket);
	struct bucket_search search = { .net = net, .port = port };

	search.node = BPF_CORE_READ(chain, chain.first);
	REPEAT(CHAIN_MAX, bucket_step, &search);
	return search.found;
}

static __always_inline void start_in_bucket(struct owners_walk *w, struct inet_bind_bucket *bucket)
{
	w->node_offset = bpf_core_field_offset(struct sock, __sk_common.skc_bind_node);
	if (bpf_core_field_exists(bucket->bhash2))
		w->bucket2 = BPF_CORE_READ(bucket, bhash2.first);
	else
		w->owner = BPF_CORE_READ(bucket, owners.first);
}

static __always_inline struct udp_hslot *primary_slot(const struct udp_table *table,
						      const struct net *net, __u16 port)
{
	__u32 slot = (port + BPF_CORE_READ(net, hash_mix)) & BPF_CORE_READ(table, mask);

	return (void *)BPF_CORE_READ(table, hash) + slot * bpf_core_type_size(struct udp_hslot);
}

/* --- the namespace --- */

static __always_inline void fill_ephemeral_range(struct abi_netns *to, const struct net *net)
{
	const struct local_ports *ports = &net->ipv4.ip_local_ports;
	const struct local_ports___pair *pair = (const void *)ports;
	int range[2] = {};
	__u32 both;

	if (bpf_core_field_exists(ports->range)) {
		both = BPF_CORE_READ(net, ipv4.ip_local_ports.range);
		to->ephemeral_first = both & 0xffff;
		to->ephemeral_last = both >> 16;
		return;
	}
	if (bpf_core_field_exists(pair->range))
		BPF_CORE_READ_INTO(&range, pair, range);
	to->ephemeral_first = range[0];
	to->ephemeral_last = range[1];
}

/* Global, as fill_owner() is. */
GLOBAL int fill_netns(struct abi_netns *to, __u64 address)
{
	const struct net *net = (const struct net *)address;
	int start;

	if (!to)
		return 0;
	if (bpf_core_field_exists(net->net_cookie))
		to->cookie = BPF_CORE_READ(net, net_cookie);
	fill_ephemeral_range(to, net);
	start = BPF_CORE_READ(net, ipv4.sysctl_ip_prot_sock);
	to->unprivileged_start = start > 0xffff ? 0xffff : start;
	if (BPF_CORE_READ(net, ipv4.sysctl_ip_nonlocal_bind))
		to->nonlocal |= ABI_NONLOCAL_IPV4;
	if (bpf_core_field_exists(net->ipv6) && BPF_CORE_READ(net, ipv6.sysctl.ip_nonlocal_bind))
		to->nonlocal |= ABI_NONLOCAL_IPV6;
	to->known = to->ephemeral_last != 0;
	return 0;
}

#endif
