/* SPDX-License-Identifier: MIT */
#include "inventory/holders_pass.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "bpf/abi.h"

#define BUFFER_BYTES (64 * 1024) /* the kernel hands out up to 8 pages at a time */
#define EMPTY_READS_MAX                                                                          \
	1000 /* an iterator gives EAGAIN after a million objects without a record: a billion fds \
	      */
#define CUT_SIGN "\xE2\x80\xA6"

/* --- decoding -------------------------------------------------------------------------------- */

static struct process_id id_of(uint32_t pid, uint64_t start_ns, uint64_t ticks_per_s)
{
	/* as the kernel's nsec_to_clock_t(), so that it equals /proc/PID/stat */
	return (struct process_id){ .pid = (pid_t)pid,
				    .start_ticks = start_ns / (NS_PER_S / ticks_per_s) };
}

static void copy_comm(char *to, const char *from)
{
	memcpy(to, from, PROCESS_COMM_SIZE);
	to[PROCESS_COMM_SIZE - 1] = '\0';
}

/* Writes "/name" before what stands in path from *at on; false when it does not fit. */
static bool prepend(char *path, size_t *at, const char *name, size_t n)
{
	if (*at < n + 1 + strlen(CUT_SIGN))
		return false;
	*at -= n;
	memcpy(path + *at, name, n);
	path[--*at] = '/';
	return true;
}

/*
 * "leaf\0…\0top\0" → "/top/…/leaf".  What is too long, or was cut in the kernel, keeps its end
 * behind "…".  No component is the root itself; an empty first one means unknown.
 */
static void decode_path(const char *names, size_t size, bool cut,
			char ret[static PROCESS_PATH_SIZE])
{
	char path[PROCESS_PATH_SIZE];
	size_t at = sizeof(path) - 1, from = 0;

	ret[0] = '\0';
	if (size == 0 || names[0] == '\0')
		return;
	path[at] = '\0';
	while (from < size) {
		size_t n = strnlen(names + from, size - from);

		if (n == 1 && names[from] == '/')
			break; /* the root's own dentry */
		if (n > 0 && !prepend(path, &at, names + from, n)) {
			cut = true;
			break;
		}
		from += n + 1;
	}
	if (path[at] == '\0')
		path[--at] = '/';
	if (cut) {
		at -= strlen(CUT_SIGN);
		memcpy(path + at, CUT_SIGN, strlen(CUT_SIGN));
	}
	memcpy(ret, path + at, sizeof(path) - at);
}

static int decode_process(const void *bytes, uint64_t ticks_per_s, struct pass_record *ret)
{
	struct process *p = &ret->process;
	struct abi_process_event e;

	memcpy(&e, bytes, sizeof(e));
	if (e.exe_len > sizeof(e.exe) || e.cwd_len > sizeof(e.cwd) ||
	    e.n_ancestors > ABI_ANCESTORS_MAX)
		return -EBADMSG;
	*ret = (struct pass_record){ .kind = PASS_PROCESS };
	p->id = id_of(e.head.pid, e.head.start_ns, ticks_per_s);
	p->uid = e.head.uid;
	p->ppid = (pid_t)e.ppid;
	p->sid = (pid_t)e.sid;
	p->cgroup_id = e.head.cgroup_id;
	copy_comm(p->comm, e.head.comm);
	decode_path(e.exe, e.exe_len, e.exe_cut, p->exe);
	decode_path(e.cwd, e.cwd_len, e.cwd_cut, p->cwd);
	p->n_ancestors = e.n_ancestors;
	for (size_t i = 0; i < e.n_ancestors; i++) {
		const struct abi_ancestor *a = &e.ancestors[i];

		p->ancestors[i].id = id_of(a->pid, a->start_ns, ticks_per_s);
		p->ancestors[i].sid = (pid_t)a->sid;
		copy_comm(p->ancestors[i].comm, a->comm);
	}
	return 0;
}

static int decode_holder(const void *bytes, uint64_t ticks_per_s, struct pass_record *ret)
{
	struct abi_holder h;

	memcpy(&h, bytes, sizeof(h));
	if (h.socket.family != AF_INET && h.socket.family != AF_INET6)
		return -EBADMSG;
	if (h.socket.cookie == 0 || h.fd > INT32_MAX)
		return -EBADMSG;
	*ret = (struct pass_record){
		.kind = PASS_HOLDER,
		.holder = {
			.id = id_of(h.head.pid, h.head.start_ns, ticks_per_s),
			.uid = h.head.uid,
			.cgroup_id = h.head.cgroup_id,
			.fd = (int)h.fd,
			.private_table = h.table == ABI_FILE_REF_THREAD_FD,
			.cookie = h.socket.cookie,
			.inode = h.socket.inode,
			.netns = h.socket.netns,
			.dev = h.socket.dev,
			.file_refs = h.socket.file_refs,
			.sk_uid = h.socket.sk_uid,
			.protocol = h.socket.protocol,
			.port = h.socket.port,
			.family = h.socket.family,
			.state = socket_state_of_tcp(h.socket.tcp_state),
			.v6only = h.socket.v6only,
		},
	};
	copy_comm(ret->holder.comm, h.head.comm);
	memcpy(ret->holder.addr.bytes, h.socket.addr, h.socket.family == AF_INET ? 4 : 16);
	return 0;
}

static const struct {
	uint16_t kind;
	uint16_t size;
	int (*decode)(const void *bytes, uint64_t ticks_per_s, struct pass_record *ret);
} records[] = {
	{ ABI_PROCESS, sizeof(struct abi_process_event), decode_process },
	{ ABI_HOLDER, sizeof(struct abi_holder), decode_holder },
};

int holders_pass_decode(const void *bytes, size_t size, uint64_t ticks_per_s,
			struct pass_record *ret, size_t *ret_used)
{
	struct abi_head head;
	int r;

	*ret_used = 0;
	if (size < sizeof(head))
		return 0;
	memcpy(&head, bytes, sizeof(head));
	for (size_t i = 0; i < ARRAY_SIZE(records); i++) {
		if (records[i].kind != head.kind)
			continue;
		if (records[i].size != head.size || head.pid == 0 || head.pid > INT32_MAX)
			return -EBADMSG;
		if (size < head.size)
			return 0;
		r = records[i].decode(bytes, ticks_per_s, ret);
		if (!r)
			*ret_used = head.size;
		return r;
	}
	return -EBADMSG;
}

/* --- reading --------------------------------------------------------------------------------- */

struct reader {
	char *bytes;
	size_t used;
	size_t records;
	uint64_t ticks_per_s;
	holders_pass_visit visit;
	void *user_data;
};

/* Hands out the whole records of the buffer and moves the rest to its start. */
static int drain(struct reader *reader)
{
	struct pass_record record;
	size_t at = 0, used;
	int r;

	for (;;) {
		r = holders_pass_decode(reader->bytes + at, reader->used - at, reader->ticks_per_s,
					&record, &used);
		if (r || used == 0)
			break;
		if (++reader->records > HOLDERS_PASS_RECORDS_MAX)
			return -E2BIG;
		at += used;
		r = reader->visit(&record, reader->user_data);
		if (r)
			break;
	}
	reader->used -= at;
	memmove(reader->bytes, reader->bytes + at, reader->used);
	return r;
}

/* One read: bytes, 0 at the end, negative errno. */
static ssize_t fill(int fd, struct reader *reader)
{
	for (int empty = 0; empty < EMPTY_READS_MAX;) {
		ssize_t n = read(fd, reader->bytes + reader->used, BUFFER_BYTES - reader->used);

		if (n >= 0)
			return n;
		if (errno == EAGAIN)
			empty++;
		else if (errno != EINTR)
			return -errno;
	}
	return -EAGAIN;
}

int holders_pass_read(int fd, holders_pass_visit visit, void *user_data)
{
	_cleanup_free_ char *bytes = malloc(BUFFER_BYTES);
	struct reader reader = {
		.bytes = bytes,
		.ticks_per_s = (uint64_t)sysconf(_SC_CLK_TCK),
		.visit = visit,
		.user_data = user_data,
	};
	ssize_t n;
	int r;

	if (!bytes)
		return -ENOMEM;
	while ((n = fill(fd, &reader)) > 0) {
		reader.used += (size_t)n;
		r = drain(&reader);
		if (r)
			return r;
	}
	if (n < 0)
		return (int)n;
	return reader.used ? -EBADMSG : 0;
}
