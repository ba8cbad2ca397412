/* SPDX-License-Identifier: MIT */
/*
 * The vocabulary of sockets that all rooms share.  Ports are in host order everywhere; an IPv4
 * address occupies bytes[0..3] and the rest is zero.
 */
#ifndef BASE_NET_H
#define BASE_NET_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#define NET_ADDR_STR_SIZE   46	/* INET6_ADDRSTRLEN */
#define NET_DEVICE_STR_SIZE 16	/* IF_NAMESIZE */
#define NET_PROTOCOL_MPTCP  262 /* IPPROTO_MPTCP; older libc headers do not have it */

struct net_addr {
	uint8_t bytes[16];
};

enum socket_state {
	SOCKET_UNKNOWN = 0,
	SOCKET_LISTEN, /* TCP in LISTEN; for UDP see SOCKET_BOUND */
	SOCKET_BOUND,  /* TCP bound-inactive, UDP bound */
	SOCKET_SYN_SENT,
	SOCKET_SYN_RECV,
	SOCKET_ESTABLISHED,
	SOCKET_FIN_WAIT1,
	SOCKET_FIN_WAIT2,
	SOCKET_TIME_WAIT,
	SOCKET_CLOSE_WAIT,
	SOCKET_LAST_ACK,
	SOCKET_CLOSING,
	_SOCKET_STATE_MAX
};

/* "LISTEN", "BOUND", "TIME_WAIT", … as ss spells them with underscores; static storage. */
const char *socket_state_name(enum socket_state s);

/* The state of a kernel TCP state number (TCP_ESTABLISHED = 1 … TCP_BOUND_INACTIVE = 13). */
enum socket_state socket_state_of_tcp(uint8_t tcp_state);

/* "tcp", "udp", "mptcp", "udplite"; "ip-N" is never needed: other protocols are not tracked. */
const char *net_protocol_name(uint16_t protocol);

/* AF_INET or AF_INET6 address as text.  Returns ret. */
const char *net_addr_format(uint8_t family, const struct net_addr *a,
			    char ret[static NET_ADDR_STR_SIZE]);

/*
 * Reads a numeric IPv4 or IPv6 address; "*" is the IPv6 wildcard (dual stack), "localhost" is
 * 127.0.0.1.  0, or -EINVAL when it is neither.
 */
int net_addr_parse(const char *text, uint8_t *ret_family, struct net_addr *ret);

/* The kinds of addresses that the bind oracle asks of every owner of a port are told inline. */

/* 0.0.0.0 or :: */
static inline bool net_addr_is_wildcard(uint8_t family, const struct net_addr *a)
{
	static const struct net_addr any;

	return memcmp(a->bytes, any.bytes, family == AF_INET ? 4 : 16) == 0;
}

/* An IPv4 address in an IPv6 one, ::ffff:0.0.0.0/96: it stands in bytes[12..15]. */
static inline bool net_addr_is_mapped(uint8_t family, const struct net_addr *a)
{
	static const uint8_t prefix[12] = { [10] = 0xff, [11] = 0xff };

	return family == AF_INET6 && memcmp(a->bytes, prefix, sizeof(prefix)) == 0;
}

/* An IPv4 address, or one that is mapped. */
static inline bool net_addr_is_ipv4(uint8_t family, const struct net_addr *a)
{
	return family == AF_INET || net_addr_is_mapped(family, a);
}

/* 127.0.0.0/8 or ::1; not ::ffff:127.0.0.0/104. */
bool net_addr_is_loopback(uint8_t family, const struct net_addr *a);

/* 0.0.0.0, :: or ::ffff:0.0.0.0. */
bool net_addr_is_any(uint8_t family, const struct net_addr *a);

/*
 * Reads a port as people type it: decimal 1..65535, no sign, no leading zero, nothing after it.
 * 0, or -EINVAL.
 */
int net_port_parse(const char *text, uint16_t *ret_port);

/* "EADDRINUSE" for 98 and so on; static storage; "E?" for a number without a name. */
const char *net_errno_name(int error);

/* An interface by its index: "lo", or "if2" where that is of another namespace or gone.  NULL
 * for 0. */
const char *net_device_format(uint32_t dev, bool own_netns, char ret[static NET_DEVICE_STR_SIZE]);

#endif
