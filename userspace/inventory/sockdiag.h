/* SPDX-License-Identifier: MIT */
/*
 * NETLINK_SOCK_DIAG dumps of TCP and UDP sockets of the own network namespace.  Needs no privilege:
 * every caller sees every user's sockets, with inode, cookie, uid and cgroup.
 */
#ifndef INVENTORY_SOCKDIAG_H
#define INVENTORY_SOCKDIAG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/net.h"

struct sockdiag;
struct nlmsghdr;

/* Bits of a states mask are 1 << the kernel's state number. */
#define SOCKDIAG_LISTEN		(1U << 10)
#define SOCKDIAG_BOUND_INACTIVE (1U << 13) /* TCPF_BOUND_INACTIVE, since 6.8; ignored before */
#define SOCKDIAG_ALL		(0xfffU | SOCKDIAG_BOUND_INACTIVE)

/* idiag_timer of a minisocket: TIME_WAIT, or FIN_WAIT2 that nobody holds any more. */
#define SOCKDIAG_TIMER_TIMEWAIT 3

struct sockdiag_query {
	uint8_t family;	  /* AF_INET, AF_INET6 */
	uint8_t protocol; /* IPPROTO_TCP, IPPROTO_UDP */
	uint32_t states;
	uint16_t port; /* local; 0 = all */
};

/* What one message says. */
struct sockdiag_socket {
	uint64_t cookie;
	uint64_t inode; /* 0 = no file: a minisocket, an orphan, a kernel socket */
	uint64_t cgroup_id;
	enum socket_state state;
	uint8_t family;
	uint8_t protocol;
	struct net_addr addr, peer;
	uint16_t port, peer_port;
	uint32_t dev;
	uid_t uid; /* PROCESS_UID_UNKNOWN for minisockets, for which the kernel says 0 */
	uint8_t timer;
	uint32_t expires_ms;
	bool v6only, v6only_known; /* told for IPv6 sockets that listen or have no peer */
	uint8_t shutdown;	   /* bit 0 receiving, bit 1 sending */
	bool freebind, transparent, bind_address_no_port;
};

int sockdiag_open(struct sockdiag **ret);
void sockdiag_free(struct sockdiag *s);

/*
 * Calls visit for each socket that the query asks for.  visit returns 0, or a negative errno that
 * ends the dump and is passed on.  0, negative errno.
 */
typedef int (*sockdiag_visit)(const struct sockdiag_socket *socket, void *user_data);
int sockdiag_dump(struct sockdiag *s, const struct sockdiag_query *query, sockdiag_visit visit,
		  void *user_data);

/*
 * The same in parts: begins a dump, and calls visit for the sockets of its next message, some 300.
 * The kernel has prepared a message or two ahead: a socket may be shown that has closed since.
 * Until there is no more, or once a part has failed, nothing else can be asked; to free it ends
 * the dump as well.
 */
int sockdiag_begin(struct sockdiag *s, const struct sockdiag_query *query);
int sockdiag_next(struct sockdiag *s, sockdiag_visit visit, void *user_data, bool *ret_more);

/* Does this kernel list TCP sockets that are bound and not listening?  Binds one and looks. */
int sockdiag_lists_bound_inactive(struct sockdiag *s, bool *ret);

/*
 * Decodes one SOCK_DIAG_BY_FAMILY message.  Pure.  0, or -EBADMSG for a message that is too short
 * or of another family.
 */
int sockdiag_decode(const struct nlmsghdr *message, uint8_t protocol, struct sockdiag_socket *ret);

#endif
