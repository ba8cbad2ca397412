/* SPDX-License-Identifier: MIT */
#include "sentinel/look.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/procfs.h"
#include "bpf/abi.h"

#define LOOK_BYTES 32768 /* what the kernel's iterator hands out at once */

/* A pass over one process: kernels before 6.1 do not know the parameter. */
static int open_pass_over(int program_fd, pid_t pid)
{
	union bpf_iter_link_info info = { .task.pid = (__u32)pid };
	LIBBPF_OPTS(bpf_link_create_opts, options, .iter_info = &info,
		    .iter_info_len = sizeof(info));
	_cleanup_close_ int link = -1;
	int fd;

	link = bpf_link_create(program_fd, 0, BPF_TRACE_ITER, &options);
	if (link < 0)
		return errno == E2BIG || errno == EINVAL ? -EOPNOTSUPP : -errno;
	fd = bpf_iter_create(link);
	return fd < 0 ? -errno : fd;
}

static void look_at_holder(struct abi_look *look, const char *bytes)
{
	struct abi_holder holder;

	memcpy(&holder, bytes, sizeof(holder));
	look->start_ns = holder.head.start_ns;
	if (look->n_fds == ABI_LOOK_FDS_MAX) {
		look->more = 1;
		return;
	}
	look->fds[look->n_fds].cookie = holder.socket.cookie;
	look->fds[look->n_fds].inode = holder.socket.inode;
	look->fds[look->n_fds].fd = holder.fd;
	look->fds[look->n_fds].file_refs = holder.socket.file_refs;
	look->fds[look->n_fds].table = holder.table;
	look->n_fds++;
}

/* Takes the whole records off the front; returns how many bytes that were, or -EBADMSG. */
static ssize_t look_at_records(struct abi_look *look, const char *bytes, size_t n)
{
	struct abi_head head;
	size_t at = 0;

	while (n - at >= sizeof(head)) {
		memcpy(&head, bytes + at, sizeof(head));
		if (head.kind == ABI_HOLDER && head.size != sizeof(struct abi_holder))
			return -EBADMSG;
		if (head.size < sizeof(head))
			return -EBADMSG;
		if (n - at < head.size)
			break;
		if (head.kind == ABI_HOLDER)
			look_at_holder(look, bytes + at);
		at += head.size;
	}
	return (ssize_t)at;
}

static int look_through(struct abi_look *look, int fd)
{
	char bytes[LOOK_BYTES];
	size_t have = 0;

	while (!look->more) {
		ssize_t n = read(fd, bytes + have, sizeof(bytes) - have), used;

		if (n == 0)
			return have ? -EBADMSG : 0;
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0)
			return -errno;
		have += (size_t)n;
		used = look_at_records(look, bytes, have);
		if (used < 0)
			return (int)used;
		have -= (size_t)used;
		memmove(bytes, bytes + used, have);
	}
	return 0;
}

/* A process without sockets leaves no record: is it there at all, and since when? */
static int look_for_start(uint64_t ticks_per_s, struct abi_look *look)
{
	struct process_id id;
	int r;

	if (look->start_ns)
		return 0;
	r = procfs_identity((pid_t)look->pid, &id);
	if (r < 0)
		return r;
	look->start_ns = id.start_ticks * (NS_PER_S / ticks_per_s);
	return 0;
}

int look_run(int program_fd, uint64_t ticks_per_s, struct abi_look *look)
{
	_cleanup_close_ int fd = -1;
	int r;

	*look = (struct abi_look){ .pid = look->pid };
	if (look->pid == 0) /* the iterator would take it for all processes */
		return look->result = -ESRCH;
	fd = open_pass_over(program_fd, (pid_t)look->pid);
	r = fd < 0 ? fd : look_through(look, fd);
	r = r ?: look_for_start(ticks_per_s, look);
	return look->result = r;
}
