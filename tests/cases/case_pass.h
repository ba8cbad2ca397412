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

static int pass_ends[2];

static inline void run_giver(struct scene *s)
{
	pass_descriptor(pass_ends[0], holder_listen(s));
	tell(s, 0);
}

/* Who made the listening socket and passed it on has left; `run` is given it at pass_ends[1]. */
static inline void start_receiver(struct scene *s, void (*run)(struct scene *s))
{
	struct actor giver;

	need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pass_ends) == 0);
	giver = actor_start(s, "giver", run_giver);
	s->first = actor_start(s, "receiver", run);
	actor_kill(&giver);
	close(pass_ends[0]);
	close(pass_ends[1]);
}

#endif
