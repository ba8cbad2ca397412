/* SPDX-License-Identifier: MIT */
/* What the kernel's bind table says of a port: the vocabulary of walks, refusals and the oracle. */
#ifndef BASE_BIND_H
#define BASE_BIND_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/net.h"

struct abi_owner;

/* One owner of a port. */
struct bind_owner {
	uint64_t id;	   /* tells owners apart within one table; means nothing else */
	uint64_t cookie;   /* 0 = it never got one */
	uint64_t inode;	   /* 0 = no file */
	uint64_t file_id;  /* tells its struct file apart; 0 = no file */
	uint16_t protocol; /* 0 for a minisocket */
	uint8_t family;
	enum socket_state state;    /* SOCKET_BOUND for bound-inactive and UDP */
	enum socket_state substate; /* of a TIME_WAIT entry: FIN_WAIT2 or TIME_WAIT */
	struct net_addr addr, peer;
	uint16_t peer_port; /* 0 = no peer */
	bool v6only;
	bool reuseaddr, reuseport; /* as they are now, not as they were at its bind */
	bool force_reuse;	   /* SK_FORCE_REUSE (TCP_REPAIR) */
	uid_t uid;		   /* sk_uid; without meaning for a minisocket */
	uint32_t dev;		   /* bound interface, 0 = any */
	uint32_t file_refs;	   /* references to its struct file; 0 = it has none */
	bool minisocket;	   /* TIME_WAIT or a request: no file, no process */
	bool kernel;		   /* made by the kernel for itself (vxlan, NFS, …) */
	bool port_asked;	   /* a program asked for this very port */
	bool connect_bound;	   /* connect() chose the port (known since 6.18) */
	bool shut_down;
	bool mptcp;
	pid_t sleeper; /* a process that sleeps on this socket; 0 = none */
};

/* Fills *to from a record of the walk (bpf/abi.h).  Pure; any bytes give some owner. */
void bind_owner_decode(const struct abi_owner *from, struct bind_owner *to);

/* A network namespace, and what is set in it that bears on binds. */
struct bind_netns {
	uint64_t cookie; /* unlike its inode never given twice; 0 = the kernel has none */
	bool known;	 /* what follows could be read */
	uint16_t ephemeral_first, ephemeral_last;
	uint16_t unprivileged_start; /* 65535 also where no port is unprivileged */
	bool nonlocal_ipv4, nonlocal_ipv6;
};

struct abi_netns;

/* Pure, as bind_owner_decode(). */
void bind_netns_decode(const struct abi_netns *from, struct bind_netns *to);

/* What the kernel caches for a TCP port (struct inet_bind_bucket); all zero for none. */
struct bind_bucket {
	bool known;	      /* there is one, and it was read */
	int8_t fastreuse;     /* > 0: every owner had SO_REUSEADDR when it came (up to 6.7) */
	int8_t fastreuseport; /* 0 no, 1 any address, 2 the cached address only */
	uid_t fastuid;
	uint8_t fast_family;
	bool fast_ipv6_only;
	uint32_t fast_rcv_saddr_be32;
	struct net_addr fast_v6_rcv_saddr;
};

#endif
