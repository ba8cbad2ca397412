/* SPDX-License-Identifier: MIT */
#include "sentinel/file_ref_pass.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"

#define READ_BYTES 32768 /* what the kernel's iterator hands out at once */

static int forget_targets(int map)
{
	uint64_t key;

	while (bpf_map_get_next_key(map, NULL, &key) == 0)
		if (bpf_map_delete_elem(map, &key) < 0)
			return -errno;
	return errno == ENOENT ? 0 : -errno;
}

int file_ref_pass_open(const struct bpf_link *link, int targets_map, const uint64_t *files,
		       size_t n)
{
	int r, fd;

	if (n > ABI_FILE_REF_FILES_MAX)
		return -E2BIG;
	r = forget_targets(targets_map);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < n; i++) {
		/* 0 is no file, and nearly every mapping's */
		if (files[i] && bpf_map_update_elem(targets_map, &files[i], &i, BPF_ANY) < 0)
			return -errno;
	}
	fd = bpf_iter_create(bpf_link__fd(link));
	return fd < 0 ? -errno : fd;
}

/* --- proof --- */

/* Does it give a record of this kind?  The few that one file has come in one read. */
static bool pass_shows(int fd, enum abi_file_ref_kind kind)
{
	char bytes[READ_BYTES];
	struct abi_file_ref file_ref;
	ssize_t n;

	do {
		n = read(fd, bytes, sizeof(bytes));
		for (ssize_t at = 0; at + (ssize_t)sizeof(file_ref) <= n; at += sizeof(file_ref)) {
			memcpy(&file_ref, bytes + at, sizeof(file_ref));
			if (file_ref.head.kind == ABI_FILE_REF && file_ref.kind == kind)
				return true;
		}
	} while (n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN)));
	return false;
}

/* A message with the descriptor, on its way from one end to the other. */
static int send_to_ourselves(int socket, int ends[2])
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr aligned;
	} control = { .aligned = { .cmsg_level = SOL_SOCKET,
				   .cmsg_type = SCM_RIGHTS,
				   .cmsg_len = CMSG_LEN(sizeof(int)) } };
	char byte = 0;
	struct iovec data = { .iov_base = &byte, .iov_len = sizeof(byte) };
	struct msghdr message = { .msg_iov = &data,
				  .msg_iovlen = 1,
				  .msg_control = control.bytes,
				  .msg_controllen = sizeof(control.bytes) };

	memcpy(CMSG_DATA(&control.aligned), &socket, sizeof(socket));
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	return sendmsg(ends[0], &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static bool prove_in_flight(const struct bpf_link *link, int targets_map, uint64_t file, int socket)
{
	int ends[2] = { -1, -1 };
	_cleanup_close_ int fd = -1;
	bool shown = false;

	if (send_to_ourselves(socket, ends) == 0) {
		fd = file_ref_pass_open(link, targets_map, &file, 1);
		shown = fd >= 0 && pass_shows(fd, ABI_FILE_REF_IN_FLIGHT);
	}
	closep(&ends[0]);
	closep(&ends[1]);
	return shown;
}

static bool prove_mapping(const struct bpf_link *link, int targets_map, uint64_t file, int socket)
{
	size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
	void *at = mmap(NULL, bytes, PROT_READ, MAP_SHARED, socket, 0);
	_cleanup_close_ int fd = -1;
	bool shown;

	if (at == MAP_FAILED)
		return false;
	fd = file_ref_pass_open(link, targets_map, &file, 1);
	shown = fd >= 0 && pass_shows(fd, ABI_FILE_REF_MAPPING);
	munmap(at, bytes);
	return shown;
}

bool file_ref_pass_prove(enum abi_file_ref_pass pass, const struct bpf_link *link, int targets_map,
			 uint64_t file, int socket)
{
	return pass == ABI_FILE_REFS_MAPPED ? prove_mapping(link, targets_map, file, socket)
					    : prove_in_flight(link, targets_map, file, socket);
}
