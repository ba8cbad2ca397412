/* SPDX-License-Identifier: MIT */
#include "reconcile/why.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"

#define ENDPOINT_SIZE (NET_ADDR_STR_SIZE + 8) /* "[address]:port" */

static const char *const verdict_names[] = {
	[WHY_FREE] = "free",
	[WHY_LISTENER] = "listener",
	[WHY_LISTENER_WILDCARD_OVERLAP] = "listener_wildcard_overlap",
	[WHY_DUAL_STACK] = "dual_stack",
	[WHY_BOUND_NOT_LISTENING] = "bound_not_listening",
	[WHY_TIME_WAIT] = "time_wait",
	[WHY_CONN_OF_CLOSED_LISTENER] = "conn_of_closed_listener",
	[WHY_CONN_CLOSE_WAIT] = "conn_close_wait",
	[WHY_OUTGOING_CONNECTION] = "outgoing_connection",
	[WHY_UDP_BOUND] = "udp_bound",
	[WHY_OTHER_NETNS] = "other_netns",
	[WHY_UNKNOWN] = "unknown",
};
_Static_assert(ARRAY_SIZE(verdict_names) == _WHY_VERDICT_MAX, "every verdict has a name");

const char *why_verdict_name(enum why_verdict v)
{
	if ((unsigned)v >= _WHY_VERDICT_MAX)
		v = WHY_UNKNOWN;
	return verdict_names[v];
}

/* --- addresses -------------------------------------------------------------------------- */

/* One side of the comparison, as ipv6_rcv_saddr_equal() sees it. */
struct side {
	uint8_t family;
	const struct net_addr *addr;
	bool v6only;
	bool any;     /* 0.0.0.0, ::ffff:0.0.0.0 or :: */
	bool is_ipv4; /* AF_INET, or ::ffff:a.b.c.d: an IPv4 address on an IPv6 socket */
};

static bool is_mapped(const struct net_addr *a)
{
	static const uint8_t prefix[12] = { [10] = 0xFF, [11] = 0xFF };

	return memcmp(a->bytes, prefix, sizeof(prefix)) == 0;
}

/* The four bytes of the IPv4 address of a side that is one. */
static const uint8_t *ipv4_bytes(const struct side *s)
{
	return s->family == AF_INET ? s->addr->bytes : s->addr->bytes + 12;
}

static struct side side_of(uint8_t family, const struct net_addr *addr, bool v6only)
{
	struct side s = { .family = family, .addr = addr, .v6only = v6only };

	s.is_ipv4 = family == AF_INET || is_mapped(addr);
	s.any = s.is_ipv4 ? memcmp(ipv4_bytes(&s), "\0\0\0\0", 4) == 0
			  : net_addr_is_wildcard(family, addr);
	return s;
}

static struct side side_of_question(const struct why_question *q)
{
	return side_of(q->family, &q->addr, q->v6only);
}

static struct side side_of_owner(const struct socket_row *owner)
{
	return side_of(owner->family, &owner->addr, owner->v6only);
}

static bool sides_overlap(const struct side *a, const struct side *b)
{
	if (a->is_ipv4 && b->is_ipv4)
		return a->any || b->any || memcmp(ipv4_bytes(a), ipv4_bytes(b), 4) == 0;
	if (a->is_ipv4 != b->is_ipv4) {
		/* only `::` reaches over to IPv4; a specific IPv6 address never does */
		const struct side *six = a->is_ipv4 ? b : a;

		return six->any && !six->v6only;
	}
	return a->any || b->any || memcmp(a->addr->bytes, b->addr->bytes, 16) == 0;
}

bool why_addresses_overlap(const struct why_question *q, const struct socket_row *owner)
{
	struct side asked = side_of_question(q), owned = side_of_owner(owner);

	/* the question names no device, and no device meets every device */
	return sides_overlap(&asked, &owned);
}

/* The dual-stack `::`: what `pd why PORT` asks about when it is given no address. */
static bool asks_for_any(const struct why_question *q)
{
	return q->family == AF_INET6 && !q->v6only && net_addr_is_wildcard(AF_INET6, &q->addr);
}

/* Would the answer be another one if we knew whether this `::` socket is V6ONLY? */
static bool hangs_on_v6only(const struct why_question *q, const struct socket_row *owner)
{
	struct side asked = side_of_question(q), owned = side_of_owner(owner);

	return !owner->v6only_known && asked.is_ipv4 && !owned.is_ipv4 && owned.any;
}

/* --- verdicts --------------------------------------------------------------------------- */

static enum why_verdict verdict_of_listener(const struct why_question *q,
					    const struct socket_row *owner)
{
	if (asks_for_any(q))
		return WHY_LISTENER;
	if (q->family != owner->family)
		return WHY_DUAL_STACK;
	if (memcmp(&q->addr, &owner->addr, sizeof(q->addr)) == 0)
		return WHY_LISTENER;
	return WHY_LISTENER_WILDCARD_OVERLAP;
}

static enum why_verdict verdict_of(const struct why_question *q, const struct socket_row *owner,
				   bool ephemeral)
{
	if (q->protocol == IPPROTO_UDP)
		return WHY_UDP_BOUND;
	switch (owner->state) {
	case SOCKET_LISTEN:
		return verdict_of_listener(q, owner);
	case SOCKET_BOUND:
		return WHY_BOUND_NOT_LISTENING;
	case SOCKET_TIME_WAIT:
		return WHY_TIME_WAIT;
	case SOCKET_CLOSE_WAIT:
		return WHY_CONN_CLOSE_WAIT;
	case SOCKET_SYN_SENT:
		return WHY_OUTGOING_CONNECTION; /* whoever chose the port: nobody accepts this one
						 */
	case SOCKET_SYN_RECV:
	case SOCKET_ESTABLISHED:
	case SOCKET_FIN_WAIT1:
	case SOCKET_FIN_WAIT2:
	case SOCKET_LAST_ACK:
	case SOCKET_CLOSING:
		return ephemeral ? WHY_OUTGOING_CONNECTION : WHY_CONN_OF_CLOSED_LISTENER;
	case SOCKET_UNKNOWN:
	case _SOCKET_STATE_MAX:
		break;
	}
	return WHY_UNKNOWN;
}

/* Strongest first: what has to go before anything weaker matters. */
static const enum why_verdict strength[] = {
	WHY_LISTENER,
	WHY_LISTENER_WILDCARD_OVERLAP,
	WHY_DUAL_STACK,
	WHY_UDP_BOUND,
	WHY_BOUND_NOT_LISTENING,
	WHY_CONN_CLOSE_WAIT,
	WHY_OUTGOING_CONNECTION,
	WHY_CONN_OF_CLOSED_LISTENER,
	WHY_TIME_WAIT,
	WHY_UNKNOWN,
};

static void collect_blocking(const struct why_question *q, const struct socket_row *here, size_t n,
			     bool ephemeral, struct why_answer *ret)
{
	for (size_t s = 0; s < ARRAY_SIZE(strength); s++) {
		for (size_t i = 0; i < n; i++) {
			if (ret->n_blocking == WHY_BLOCKING_MAX)
				return;
			if (hangs_on_v6only(q, &here[i]) || !why_addresses_overlap(q, &here[i]) ||
			    verdict_of(q, &here[i], ephemeral) != strength[s])
				continue;
			if (ret->n_blocking == 0)
				ret->verdict = strength[s];
			ret->blocking[ret->n_blocking++] = &here[i];
		}
	}
}

static bool any_hangs_on_v6only(const struct why_question *q, const struct socket_row *here,
				size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (hangs_on_v6only(q, &here[i]))
			return true;
	return false;
}

static bool any_of_protocol(const struct why_question *q, const struct socket_row *const *rows,
			    size_t n)
{
	/* the rest (TCP and MPTCP) shares one table of ports */
	for (size_t i = 0; i < n; i++)
		if ((rows[i]->protocol == IPPROTO_UDP) == (q->protocol == IPPROTO_UDP))
			return true;
	return false;
}

/* --- rules in words --------------------------------------------------------------------- */

static const char *format_endpoint(uint8_t family, const struct net_addr *addr, uint16_t port,
				   char *ret)
{
	char text[NET_ADDR_STR_SIZE];

	net_addr_format(family, addr, text);
	snprintf(ret, ENDPOINT_SIZE, family == AF_INET6 ? "[%s]:%u" : "%s:%u", text, port);
	return ret;
}

/* A sentence: before, the owner's address and port, middle, and with `after` also the asked one. */
struct rule {
	const char *before, *middle, *after;
};

static const struct rule rules[_WHY_VERDICT_MAX] = {
	[WHY_LISTENER] = { "A socket listens on ",
			   " already; two sockets share an address and port only when both set "
			   "SO_REUSEPORT.",
			   NULL },
	[WHY_BOUND_NOT_LISTENING] = { "A socket is bound to ",
				      " without listening; the port is taken from bind() on, not "
				      "from listen().",
				      NULL },
	[WHY_TIME_WAIT] = { "A closed connection of ",
			    " is in TIME_WAIT; until that ends, only a server that sets "
			    "SO_REUSEADDR gets the port, if the old one set it too.",
			    NULL },
	[WHY_CONN_OF_CLOSED_LISTENER] = { "A connection accepted on ",
					  " outlives its listener and keeps the port, unless both "
					  "the old and the new server set SO_REUSEADDR.",
					  NULL },
	[WHY_CONN_CLOSE_WAIT] = { "The peer has closed a connection of ",
				  ", its holder has not; until it does, the connection keeps the "
				  "port.",
				  NULL },
	[WHY_OUTGOING_CONNECTION] = { "An outgoing connection uses ",
				      " as its own end; ports of ip_local_port_range are given to "
				      "such connections at any time.",
				      NULL },
	[WHY_UDP_BOUND] = { "A UDP socket is bound to ",
			    "; UDP has no listen(), the bind alone takes the port.", NULL },
	[WHY_UNKNOWN] = { "A socket whose state could not be read owns ", ".", NULL },
};

static const struct rule listener_elsewhere = {
	"A socket listens on ", ", and a server on every address needs the port on each of them.",
	NULL
};
static const struct rule owner_covers = { "A socket listens on ",
					  ", which covers every address of its family, also ",
					  "." };
static const struct rule asked_covers = { "A socket listens on ",
					  ", which is one of the addresses that ", " covers." };
static const struct rule dual_stack_covers = {
	"The IPv6 socket that listens on ", " is not V6ONLY, so it owns the port for IPv4, also ",
	"."
};
static const struct rule same_ipv4_address = {
	"A socket listens on ", "; to the kernel that overlaps ",
	", an IPv4 address on a socket of the other family."
};
static const struct rule explicit_source_port = {
	"An outgoing connection uses ", " as its own end and keeps the port until it is closed.",
	NULL
};

static const struct rule *choose_rule(const struct why_question *q, const struct socket_row *owner,
				      enum why_verdict verdict, bool ephemeral)
{
	bool owner_is_wide = side_of_owner(owner).any;

	if (verdict == WHY_LISTENER && asks_for_any(q) && !owner_is_wide)
		return &listener_elsewhere;
	if (verdict == WHY_LISTENER_WILDCARD_OVERLAP)
		return owner_is_wide ? &owner_covers : &asked_covers;
	if (verdict == WHY_DUAL_STACK)
		return side_of_owner(owner).is_ipv4 ? &same_ipv4_address : &dual_stack_covers;
	if (verdict == WHY_OUTGOING_CONNECTION && !ephemeral)
		return &explicit_source_port;
	return &rules[verdict];
}

static void explain_blocked(const struct why_question *q, bool ephemeral, struct why_answer *ret)
{
	const struct socket_row *owner = ret->blocking[0];
	const struct rule *rule = choose_rule(q, owner, ret->verdict, ephemeral);
	char asked[ENDPOINT_SIZE], owned[ENDPOINT_SIZE];

	format_endpoint(q->family, &q->addr, q->port, asked);
	format_endpoint(owner->family, &owner->addr, owner->port, owned);
	snprintf(ret->rule, sizeof(ret->rule), "%s%s%s%s%s", rule->before, owned, rule->middle,
		 rule->after ? asked : "", rule->after ? rule->after : "");
}

static void explain_unblocked(const struct why_question *q, size_t n_here, struct why_answer *ret)
{
	char asked[ENDPOINT_SIZE];

	format_endpoint(q->family, &q->addr, q->port, asked);
	if (ret->verdict == WHY_UNKNOWN)
		snprintf(ret->rule, sizeof(ret->rule),
			 "A socket on [::]:%u may own the port for IPv4 as well; whether it is "
			 "V6ONLY could not be read.",
			 q->port);
	else if (ret->verdict == WHY_OTHER_NETNS)
		snprintf(ret->rule, sizeof(ret->rule),
			 "%s is free here: the port is in use in another network namespace, and "
			 "namespaces do not share ports.",
			 asked);
	else if (n_here > 0)
		snprintf(ret->rule, sizeof(ret->rule),
			 "%s is free: the sockets on this port have addresses that do not overlap "
			 "it.",
			 asked);
	else
		snprintf(ret->rule, sizeof(ret->rule), "%s is free: no socket owns the port.",
			 asked);
}

void why_explain(const struct why_question *q, const struct socket_row *here, size_t n_here,
		 const struct socket_row *const *elsewhere, size_t n_elsewhere, bool ephemeral,
		 struct why_answer *ret)
{
	*ret = (struct why_answer){ .verdict = WHY_FREE };
	collect_blocking(q, here, n_here, ephemeral, ret);
	if (ret->n_blocking > 0) {
		ret->error = EADDRINUSE;
		explain_blocked(q, ephemeral, ret);
		return;
	}
	if (any_hangs_on_v6only(q, here, n_here)) {
		ret->verdict = WHY_UNKNOWN;
	} else {
		ret->free = true;
		if (any_of_protocol(q, elsewhere, n_elsewhere))
			ret->verdict = WHY_OTHER_NETNS;
	}
	explain_unblocked(q, n_here, ret);
}
