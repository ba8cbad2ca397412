/* SPDX-License-Identifier: MIT */
/* io_uring of the smallest size, by bare system calls, as a child process uses it: errors are
 * returned, for who is forked off has no test that could fail. */
#ifndef KERNEL_RING_H
#define KERNEL_RING_H

#include <errno.h>
#include <linux/io_uring.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

struct ring {
	int fd;
	struct io_uring_params params;
	struct io_uring_sqe *entries;
	char *queue, *results;
};

static inline void *ring_map(const struct ring *ring, size_t size, off_t what)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, what);
}

static inline size_t ring_queue_size(const struct ring *ring)
{
	return ring->params.sq_off.array + ring->params.sq_entries * sizeof(uint32_t);
}

static inline size_t ring_results_size(const struct ring *ring)
{
	return ring->params.cq_off.cqes + ring->params.cq_entries * sizeof(struct io_uring_cqe);
}

static inline size_t ring_entries_size(const struct ring *ring)
{
	return ring->params.sq_entries * sizeof(*ring->entries);
}

/* To be closed where the process goes on without it.  0, negative errno. */
static inline int ring_open(struct ring *ring)
{
	memset(ring, 0, sizeof(*ring));
	ring->fd = (int)syscall(SYS_io_uring_setup, 4, &ring->params);
	if (ring->fd < 0)
		return -errno;
	ring->queue = ring_map(ring, ring_queue_size(ring), IORING_OFF_SQ_RING);
	ring->results = ring_map(ring, ring_results_size(ring), IORING_OFF_CQ_RING);
	ring->entries = ring_map(ring, ring_entries_size(ring), IORING_OFF_SQES);
	return ring->queue == MAP_FAILED || ring->results == MAP_FAILED ||
			       ring->entries == MAP_FAILED
		       ? -ENOMEM
		       : 0;
}

static inline void ring_close(struct ring *ring)
{
	munmap(ring->queue, ring_queue_size(ring));
	munmap(ring->results, ring_results_size(ring));
	munmap(ring->entries, ring_entries_size(ring));
	close(ring->fd);
}

static inline int ring_register(struct ring *ring, int fd)
{
	int fds[2] = { -1, fd };

	return syscall(SYS_io_uring_register, ring->fd, IORING_REGISTER_FILES, fds, 2) < 0 ? -errno
											   : 0;
}

/* Submits it, and waits for so many results.  0, negative errno. */
static inline int ring_submit(struct ring *ring, const struct io_uring_sqe *request,
			      unsigned results)
{
	uint32_t *tail = (uint32_t *)(ring->queue + ring->params.sq_off.tail);
	uint32_t *array = (uint32_t *)(ring->queue + ring->params.sq_off.array);
	unsigned flags = results ? IORING_ENTER_GETEVENTS : 0;

	ring->entries[0] = *request;
	array[*tail & (ring->params.sq_entries - 1)] = 0;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	return syscall(SYS_io_uring_enter, ring->fd, 1, results, flags, NULL, 0) == 1 ? 0 : -errno;
}

/* Leaves it pending. */
static inline int ring_submit_accept(struct ring *ring, int fd, uint8_t flags)
{
	return ring_submit(
		ring,
		&(struct io_uring_sqe){ .opcode = IORING_OP_ACCEPT, .fd = fd, .flags = flags }, 0);
}

/* The result of one request by a ring of its own. */
static inline int ring_ask(const struct io_uring_sqe *request)
{
	struct ring ring;
	int r = ring_open(&ring);

	if (r)
		return r;
	r = ring_submit(&ring, request, 1);
	if (!r)
		r = ((struct io_uring_cqe *)(ring.results + ring.params.cq_off.cqes))->res;
	ring_close(&ring);
	return r;
}

#endif
