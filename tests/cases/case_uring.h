/* SPDX-License-Identifier: MIT */
/* A ring of io_uring, as much of it as a socket can hide in.  No library: it is three calls. */
#ifndef CASES_CASE_URING_H
#define CASES_CASE_URING_H

#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "case.h"

struct ring {
	int fd;
	struct io_uring_params params;
};

static inline int ring_setup(struct io_uring_params *params)
{
	*params = (struct io_uring_params){ 0 };
	return (int)syscall(SYS_io_uring_setup, 4, params);
}

/* For set_up. */
static inline void skip_without_ring(struct scene *s)
{
	struct io_uring_params params;
	int fd = ring_setup(&params);

	if (fd < 0)
		skip("no io_uring here");
	close(fd);
}

static inline void ring_open(struct ring *r)
{
	r->fd = ring_setup(&r->params);
	need(r->fd >= 0);
}

static inline void ring_register(struct ring *r, int fd)
{
	need(syscall(SYS_io_uring_register, r->fd, IORING_REGISTER_FILES, &fd, 1) == 0);
}

static inline void ring_unregister(struct ring *r)
{
	need(syscall(SYS_io_uring_register, r->fd, IORING_UNREGISTER_FILES, NULL, 0) == 0);
}

static inline void *ring_map(struct ring *r, size_t size, off_t what)
{
	void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, what);

	need(map != MAP_FAILED);
	return map;
}

/* Leaves an accept of a listening socket pending. */
static inline void ring_accept(struct ring *r, int fd)
{
	const struct io_sqring_offsets *at = &r->params.sq_off;
	size_t size = at->array + r->params.sq_entries * sizeof(uint32_t);
	char *queue = ring_map(r, size, IORING_OFF_SQ_RING);
	struct io_uring_sqe *entries =
		ring_map(r, r->params.sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);

	entries[0] = (struct io_uring_sqe){ .opcode = IORING_OP_ACCEPT, .fd = fd };
	((uint32_t *)(queue + at->array))[0] = 0;
	__atomic_store_n((uint32_t *)(queue + at->tail), 1, __ATOMIC_RELEASE);
	need(syscall(SYS_io_uring_enter, r->fd, 1, 0, 0, NULL, 0) == 1);
}

#endif
