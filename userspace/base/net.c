/* SPDX-License-Identifier: MIT */
#include "base/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

static const char *const state_names[] = {
	[SOCKET_UNKNOWN] = "UNKNOWN",	   [SOCKET_LISTEN] = "LISTEN",
	[SOCKET_BOUND] = "BOUND",	   [SOCKET_SYN_SENT] = "SYN_SENT",
	[SOCKET_SYN_RECV] = "SYN_RECV",	   [SOCKET_ESTABLISHED] = "ESTAB",
	[SOCKET_FIN_WAIT1] = "FIN_WAIT_1", [SOCKET_FIN_WAIT2] = "FIN_WAIT_2",
	[SOCKET_TIME_WAIT] = "TIME_WAIT",  [SOCKET_CLOSE_WAIT] = "CLOSE_WAIT",
	[SOCKET_LAST_ACK] = "LAST_ACK",	   [SOCKET_CLOSING] = "CLOSING",
};
_Static_assert(ARRAY_SIZE(state_names) == _SOCKET_STATE_MAX, "every state has a name");

/*
 * The kernel's numbers (include/net/tcp_states.h).  TCP_CLOSE (7) is the state of every TCP socket
 * before listen() and of every UDP socket without a peer; those that own a port are bound.
 */
static const enum socket_state states_of_tcp[] = {
	[1] = SOCKET_ESTABLISHED, [2] = SOCKET_SYN_SENT,   [3] = SOCKET_SYN_RECV,
	[4] = SOCKET_FIN_WAIT1,	  [5] = SOCKET_FIN_WAIT2,  [6] = SOCKET_TIME_WAIT,
	[7] = SOCKET_BOUND,	  [8] = SOCKET_CLOSE_WAIT, [9] = SOCKET_LAST_ACK,
	[10] = SOCKET_LISTEN,	  [11] = SOCKET_CLOSING,   [12] = SOCKET_SYN_RECV,
	[13] = SOCKET_BOUND,
};

static const struct {
	uint16_t number;
	const char *name;
} protocols[] = {
	{ IPPROTO_TCP, "tcp" },
	{ IPPROTO_UDP, "udp" },
	{ NET_PROTOCOL_MPTCP, "mptcp" },
	{ IPPROTO_UDPLITE, "udplite" },
};

const char *socket_state_name(enum socket_state s)
{
	if ((unsigned)s >= _SOCKET_STATE_MAX)
		return state_names[SOCKET_UNKNOWN];
	return state_names[s];
}

enum socket_state socket_state_of_tcp(uint8_t tcp_state)
{
	if (tcp_state >= ARRAY_SIZE(states_of_tcp))
		return SOCKET_UNKNOWN;
	return states_of_tcp[tcp_state];
}

const char *net_protocol_name(uint16_t protocol)
{
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
		if (protocols[i].number == protocol)
			return protocols[i].name;
	return "unknown";
}

const char *net_addr_format(uint8_t family, const struct net_addr *a,
			    char ret[static NET_ADDR_STR_SIZE])
{
	if (!inet_ntop(family, a->bytes, ret, NET_ADDR_STR_SIZE))
		memcpy(ret, "?", 2);
	return ret;
}

int net_addr_parse(const char *text, uint8_t *ret_family, struct net_addr *ret)
{
	struct net_addr a = { 0 };
	uint8_t family = AF_INET6;

	if (strcmp(text, "localhost") == 0)
		text = "127.0.0.1";
	if (strcmp(text, "*") != 0 && inet_pton(AF_INET6, text, a.bytes) != 1) {
		memset(&a, 0, sizeof(a));
		if (inet_pton(AF_INET, text, a.bytes) != 1)
			return -EINVAL;
		family = AF_INET;
	}
	*ret_family = family;
	*ret = a;
	return 0;
}

bool net_addr_is_loopback(uint8_t family, const struct net_addr *a)
{
	if (family == AF_INET)
		return a->bytes[0] == IN_LOOPBACKNET;
	return memcmp(a->bytes, &in6addr_loopback, sizeof(in6addr_loopback)) == 0;
}

bool net_addr_is_any(uint8_t family, const struct net_addr *a)
{
	if (net_addr_is_mapped(family, a))
		return memcmp(a->bytes + 12, "\0\0\0\0", 4) == 0;
	return net_addr_is_wildcard(family, a);
}

int net_port_parse(const char *text, uint16_t *ret_port)
{
	size_t digits = strspn(text, "0123456789");
	unsigned port = 0;

	if (digits == 0 || digits > 5 || text[digits] || text[0] == '0')
		return -EINVAL;
	for (size_t i = 0; i < digits; i++)
		port = port * 10 + (unsigned)(text[i] - '0');
	if (port > UINT16_MAX)
		return -EINVAL;
	*ret_port = (uint16_t)port;
	return 0;
}

const char *net_errno_name(int error)
{
	/* glibc answers "0" for 0, which is a number and not a name */
	const char *name = error > 0 ? strerrorname_np(error) : NULL;

	return name ? name : "E?";
}

const char *net_device_format(uint32_t dev, bool own_netns, char ret[static NET_DEVICE_STR_SIZE])
{
	if (!dev)
		return NULL;
	/* an index of another namespace means nothing here */
	if (!own_netns || !if_indextoname(dev, ret))
		snprintf(ret, IF_NAMESIZE, "if%u", dev);
	return ret;
}
