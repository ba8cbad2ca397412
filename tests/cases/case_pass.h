/* SPDX-License-Identifier: MIT */
/* Descriptors passed through a Unix socket (SCM_RIGHTS). */
#ifndef CASES_CASE_PASS_H
#define CASES_CASE_PASS_H

#include "case.h"

union pass_control {
	char space[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

/* Sends fd and closes it here. */
static inline void pass_descriptor(int through, int fd)
{
	union pass_control control = { 0 };
	struct iovec data = { .iov_base = (char[]){ "" }, .iov_len = 1 };
	struct msghdr m = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	need(sendmsg(through, &m, 0) == 1);
	close(fd);
}

static inline int take_descriptor(int from)
{
	union pass_control control = { 0 };
	char byte;
	struct iovec data = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr m = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	int fd = -1;

	need(recvmsg(from, &m, MSG_CMSG_CLOEXEC) == 1 && CMSG_FIRSTHDR(&m));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
	return fd;
}

#endif
