/* SPDX-License-Identifier: MIT */
/* Answers of NETLINK_SOCK_DIAG. */
#include "inventory/sockdiag.h"

#include <errno.h>
#include <linux/netlink.h>
#include <netinet/in.h>

#include "fuzz/fuzz.h"

int fuzz(const uint8_t *bytes, size_t size)
{
	/* The kernel hands out whole messages, aligned; libmnl has checked that they lie within. */
	size_t length = sizeof(struct nlmsghdr) + size;
	_cleanup_free_ struct nlmsghdr *message = calloc(1, NLMSG_ALIGN(length));
	uint8_t protocol = size && bytes[0] & 1 ? IPPROTO_UDP : IPPROTO_TCP;
	struct sockdiag_socket s;
	int e;

	must(message);
	message->nlmsg_len = (uint32_t)length;
	message->nlmsg_type = 20; /* SOCK_DIAG_BY_FAMILY */
	if (size)
		memcpy(message + 1, bytes, size);
	e = sockdiag_decode(message, protocol, &s);
	must(e == 0 || e == -EBADMSG);
	if (e == 0) {
		must(s.state < _SOCKET_STATE_MAX && socket_state_name(s.state));
		must(s.family == AF_INET || s.family == AF_INET6);
		must(s.protocol == protocol);
	}
	return 0;
}
