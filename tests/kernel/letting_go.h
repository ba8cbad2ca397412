/* SPDX-License-Identifier: MIT */
/* How a child lets go of a descriptor and keeps the socket: messages, and rings (ring.h). */
#ifndef KERNEL_LETTING_GO_H
#define KERNEL_LETTING_GO_H

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "kernel/ring.h"

/* 0, negative errno. */
static inline int open_pair(int type, int *ends)
{
	return socketpair(AF_UNIX, type, 0, ends) < 0 ? -errno : 0;
}

static inline int send_fds(int over, const int *fds, size_t n)
{
	union {
		char bytes[CMSG_SPACE(8 * sizeof(int))];
		struct cmsghdr aligned;
	} control = { 0 };
	char byte = 0;
	struct iovec data = { &byte, 1 };
	struct msghdr message = { .msg_iov = &data,
				  .msg_iovlen = 1,
				  .msg_control = control.bytes,
				  .msg_controllen = CMSG_SPACE(n * sizeof(int)) };

	control.aligned.cmsg_level = SOL_SOCKET;
	control.aligned.cmsg_type = SCM_RIGHTS;
	control.aligned.cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(&control.aligned), fds, n * sizeof(int));
	return sendmsg(over, &message, 0) < 0 ? -errno : 0;
}

#endif
