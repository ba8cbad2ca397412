/* SPDX-License-Identifier: MIT */
/*
 * A port → the verdict of `pd why`: would this bind and listen succeed now; if not, which socket is
 * in the way and by which kernel rule.  Pure.
 *
 * The rule (Linux net/ipv4/inet_connection_sock.c, inet_csk_get_port and inet_bind_conflict; for
 * UDP net/ipv4/udp.c, udp_lib_get_port): an owner of the port in the same network namespace
 * conflicts when devices overlap and addresses overlap (equal, or one of them is a wildcard; `::`
 * without V6ONLY covers IPv4) unless both sides opted into sharing.  This question is asked for a
 * caller that sets neither SO_REUSEADDR nor SO_REUSEPORT, for which the answer is certain.
 */
#ifndef RECONCILE_WHY_H
#define RECONCILE_WHY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/net.h"
#include "inventory/inventory.h"

enum why_verdict {
	WHY_FREE = 0,
	WHY_LISTENER,
	WHY_LISTENER_WILDCARD_OVERLAP,
	WHY_DUAL_STACK,
	WHY_BOUND_NOT_LISTENING,
	WHY_TIME_WAIT,
	WHY_CONN_OF_CLOSED_LISTENER,
	WHY_CONN_CLOSE_WAIT,
	WHY_OUTGOING_CONNECTION,
	WHY_UDP_BOUND,
	WHY_OTHER_NETNS, /* free here; the port is busy in another namespace */
	WHY_UNKNOWN,
	_WHY_VERDICT_MAX
};

/* The contract's word: "listener", "other_netns", …; static storage. */
const char *why_verdict_name(enum why_verdict v);

struct why_question {
	uint16_t protocol; /* IPPROTO_TCP or IPPROTO_UDP */
	uint8_t family;
	struct net_addr addr; /* the default question is AF_INET6, all zeros: dual stack */
	bool v6only;
	uint16_t port;
};

#define WHY_BLOCKING_MAX 16 /* sockets that are shown; nobody reads a longer list */

struct why_answer {
	enum why_verdict verdict;
	bool free; /* the kernel would let this bind (and listen) succeed */
	int error; /* errno that the caller would get; 0 when free, or when that is unknown */
	size_t n_blocking;				     /* at most WHY_BLOCKING_MAX */
	const struct socket_row *blocking[WHY_BLOCKING_MAX]; /* strongest first; borrowed */
	char rule[240];					     /* the kernel rule in one sentence */
};

/*
 * `here`: all owners of the port and protocol in the asker's netns (inventory_query_port);
 * `elsewhere`: rows of the same port in other namespaces (may be empty).
 * `ephemeral`: the port lies inside ip_local_port_range.
 */
void why_explain(const struct why_question *q, const struct socket_row *here, size_t n_here,
		 const struct socket_row *const *elsewhere, size_t n_elsewhere, bool ephemeral,
		 struct why_answer *ret);

/* True when the two could not both be bound (devices, addresses; not flags). Exposed for tests. */
bool why_addresses_overlap(const struct why_question *q, const struct socket_row *owner);

#endif
