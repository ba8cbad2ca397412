/* SPDX-License-Identifier: MIT */
/*
 * The bind oracle: what would the kernel answer to this bind() (and listen()), given every owner of
 * the port?  Pure; it decides exactly as Linux does for an explicit port.
 *
 * TCP: net/ipv4/inet_connection_sock.c, inet_csk_get_port(): the bucket's caches first
 * (sk_reuseport_match), then the owners by inet_bind_conflict().  A specific address looks at the
 * wildcard buckets and at its own (bhash2, inet_use_bhash2_on_bind); a wildcard looks at everybody.
 * listen() asks the same again with the socket listening.
 * UDP: net/ipv4/udp.c, udp_lib_get_port() and udp_lib_lport_inuse{,2}(): the first overlapping
 * owner in chain order decides.
 */
#ifndef RECONCILE_ORACLE_H
#define RECONCILE_ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/net.h"
#include "inventory/bindtable.h"

struct bind_asked {
	uint16_t protocol; /* IPPROTO_TCP (also for MPTCP), IPPROTO_UDP */
	uint8_t family;
	struct net_addr addr;
	bool v6only; /* IPV6_V6ONLY of the socket; a specific IPv6 address implies it */
	bool reuseaddr, reuseport;
	uid_t uid;
	uint32_t dev;
	bool listening;	  /* ask for listen() on a socket that is bound: `self` is excluded */
	uint64_t self;	  /* cookie of the asker's own socket when it is among the owners */
	bool has_program; /* SO_ATTACH_REUSEPORT_* before the bind */
	bool program_group_has_closed; /* its group has closed members */
};

enum bind_rule {
	BIND_RULE_FREE = 0,	  /* nobody owns the port */
	BIND_RULE_NO_OVERLAP,	  /* owners, but no address or device in common */
	BIND_RULE_REUSEADDR,	  /* both sides have SO_REUSEADDR and nobody listens */
	BIND_RULE_REUSEPORT,	  /* both sides have SO_REUSEPORT and one uid */
	BIND_RULE_CACHED,	  /* the bucket's cache let it pass without a look at the owners */
	BIND_RULE_TAKEN,	  /* an owner is in the way; neither side asked to share */
	BIND_RULE_LISTENS,	  /* SO_REUSEADDR on both sides, but the owner listens */
	BIND_RULE_REUSEADDR_HALF, /* SO_REUSEADDR on one side only */
	BIND_RULE_REUSEPORT_HALF, /* SO_REUSEPORT on one side only */
	BIND_RULE_REUSEPORT_UID,  /* SO_REUSEPORT on both sides, two uids */
	BIND_RULE_REUSEPORT_PROGRAM, /* SO_REUSEPORT on both sides, but the asker has its own
					program */
	_BIND_RULE_MAX
};

struct bind_verdict {
	int error;	     /* 0, or EADDRINUSE */
	enum bind_rule rule; /* that decided */
	size_t owner;	     /* index of the owner that decided; n_owners when none did */
};

/* Would it succeed?  Every asked question has an answer; ret is always filled. */
void bind_oracle(const struct bind_table *table, const struct bind_asked *asked,
		 struct bind_verdict *ret);

/* Does this owner, taken alone, block the asked bind?  (Every blocker, not only the first.) */
bool bind_oracle_blocks(const struct bind_owner *owner, const struct bind_asked *asked,
			enum bind_rule *ret_rule);

#endif
