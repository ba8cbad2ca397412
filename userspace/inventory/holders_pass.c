/* SPDX-License-Identifier: MIT */
#include "inventory/holders_pass.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "bpf/abi.h"

#define BUFFER_BYTES (64 * 1024) /* the kernel hands out up to 8 pages at a time */
#define EMPTY_READS_MAX                                                                          \
	1000 /* an iterator gives EAGAIN after a million objects without a record: a billion fds \
	      */

/* --- decoding -------------------------------------------------------------------------------- */

static int decode_process(const void *bytes, uint64_t ticks_per_s, struct pass_record *ret)
{
	struct abi_process_event record;

	memcpy(&record, bytes, sizeof(record));
	*ret = (struct pass_record){ .kind = PASS_PROCESS };
	return process_decode(&record, ticks_per_s, &ret->process);
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
			.id = process_id_decode(h.head.pid, h.head.start_ns, ticks_per_s),
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
	process_comm_decode(h.head.comm, ret->holder.comm);
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

struct holders_pass {
	int fd;
	size_t used; /* of the bytes */
	size_t records;
	uint64_t ticks_per_s;
	char bytes[BUFFER_BYTES];
};

int holders_pass_open(int fd, struct holders_pass **ret)
{
	struct holders_pass *pass = malloc(sizeof(*pass));

	if (!pass) {
		close(fd);
		return -ENOMEM;
	}
	pass->fd = fd;
	pass->used = pass->records = 0;
	pass->ticks_per_s = (uint64_t)sysconf(_SC_CLK_TCK);
	*ret = pass;
	return 0;
}

void holders_pass_close(struct holders_pass *pass)
{
	if (!pass)
		return;
	close(pass->fd);
	free(pass);
}

/* Hands out the whole records of the buffer and moves the rest to its start. */
static int drain(struct holders_pass *pass, holders_pass_visit visit, void *user_data)
{
	struct pass_record record;
	size_t at = 0, used;
	int r;

	for (;;) {
		r = holders_pass_decode(pass->bytes + at, pass->used - at, pass->ticks_per_s,
					&record, &used);
		if (r || used == 0)
			break;
		if (++pass->records > HOLDERS_PASS_RECORDS_MAX)
			return -E2BIG;
		at += used;
		r = visit(&record, user_data);
		if (r)
			break;
	}
	pass->used -= at;
	memmove(pass->bytes, pass->bytes + at, pass->used);
	return r;
}

/* One read: bytes, 0 at the end, negative errno. */
static ssize_t fill(struct holders_pass *pass)
{
	for (int empty = 0; empty < EMPTY_READS_MAX;) {
		ssize_t n = read(pass->fd, pass->bytes + pass->used, BUFFER_BYTES - pass->used);

		if (n >= 0)
			return n;
		if (errno == EAGAIN)
			empty++;
		else if (errno != EINTR)
			return -errno;
	}
	return -EAGAIN;
}

int holders_pass_next(struct holders_pass *pass, holders_pass_visit visit, void *user_data,
		      bool *ret_more)
{
	/* what ends inside a record goes on at once: the rest would tell of an older moment */
	do {
		ssize_t n = fill(pass);
		int r;

		if (n < 0)
			return (int)n;
		*ret_more = n > 0;
		if (n == 0)
			return pass->used ? -EBADMSG : 0;
		pass->used += (size_t)n;
		r = drain(pass, visit, user_data);
		if (r)
			return r;
	} while (pass->used);
	return 0;
}
