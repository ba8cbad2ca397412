/* SPDX-License-Identifier: MIT */
/* How a child lets go of a descriptor and keeps the socket: messages and rings, by bare calls. */
#ifndef KERNEL_LETTING_GO_H
#define KERNEL_LETTING_GO_H

#include <errno.h>
#include <linux/io_uring.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

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

/* A ring of the smallest size, by bare system calls. */
struct ring {
	int fd;
	struct io_uring_params params;
	struct io_uring_sqe *entries;
	char *queue;
};

static inline int ring_open(struct ring *ring)
{
	struct io_uring_params *p = &ring->params;
	size_t bytes;

	memset(ring, 0, sizeof(*ring));
	ring->fd = (int)syscall(SYS_io_uring_setup, 4, p);
	if (ring->fd < 0)
		return -errno;
	bytes = p->sq_off.array + p->sq_entries * sizeof(uint32_t);
	ring->queue = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd,
			   IORING_OFF_SQ_RING);
	ring->entries = mmap(NULL, p->sq_entries * sizeof(*ring->entries), PROT_READ | PROT_WRITE,
			     MAP_SHARED, ring->fd, IORING_OFF_SQES);
	return ring->queue == MAP_FAILED || ring->entries == MAP_FAILED ? -errno : 0;
}

static inline int ring_register(struct ring *ring, int fd)
{
	int fds[2] = { -1, fd };

	return syscall(SYS_io_uring_register, ring->fd, IORING_REGISTER_FILES, fds, 2) < 0 ? -errno
											   : 0;
}

static inline int ring_submit_accept(struct ring *ring, int fd, uint8_t flags)
{
	uint32_t *tail = (uint32_t *)(ring->queue + ring->params.sq_off.tail);
	uint32_t *array = (uint32_t *)(ring->queue + ring->params.sq_off.array);

	ring->entries[0] =
		(struct io_uring_sqe){ .opcode = IORING_OP_ACCEPT, .fd = fd, .flags = flags };
	array[*tail & (ring->params.sq_entries - 1)] = 0;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	return syscall(SYS_io_uring_enter, ring->fd, 1, 0, 0, NULL, 0) == 1 ? 0 : -errno;
}

#endif
