/* SPDX-License-Identifier: MIT */
/*
 * A child process that binds, connects and accepts as it is told, and tells which ports it was told
 * itself.
 */
#ifndef KERNEL_OBEDIENT_H
#define KERNEL_OBEDIENT_H

#include <linux/capability.h>
#include <sys/syscall.h>

#include "base/net.h"
#include "kernel/actors.h"
#include "kernel/ring.h"

#define SERVERS	  8
#define REUSEPORT 1 /* flags of an order */
#define V6ONLY	  2
#define DATAGRAM  4
#define MPTCP	  8
#define RING	  16 /* by io_uring */
#define RING_BIND 56 /* IORING_OP_BIND, since Linux 6.11 */

/* --- a process that does what it is told --- */

enum verb { BIND, LISTEN, CONNECT, ACCEPT, CLOSE_ALL, BECOME_NOBODY, LEAVE_NETWORK };

struct order {
	enum verb verb;
	int flags;
	char address[NET_ADDR_STR_SIZE];
	uint16_t port;
};

static inline socklen_t address_of(const struct order *o, struct sockaddr_storage *ret)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;
	struct sockaddr_in *in = (struct sockaddr_in *)ret;

	*ret = (struct sockaddr_storage){ 0 };
	if (inet_pton(AF_INET, o->address, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons(o->port);
		return sizeof(*in);
	}
	inet_pton(AF_INET6, o->address, &in6->sin6_addr);
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(o->port);
	return sizeof(*in6);
}

static inline int open_for(const struct order *o, const struct sockaddr_storage *address)
{
	int one = 1, only = o->flags & V6ONLY ? 1 : 0;
	int fd = socket(address->ss_family,
			(o->flags & DATAGRAM ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC,
			o->flags & MPTCP ? NET_PROTOCOL_MPTCP : 0);

	if (fd >= 0 && o->flags & REUSEPORT)
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	if (fd >= 0 && address->ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only));
	return fd;
}

static inline int bind_or_connect(const struct order *o, int fd,
				  const struct sockaddr_storage *address, socklen_t n)
{
	bool connects = o->verb == CONNECT;

	if (o->flags & RING)
		return ring_ask(&(struct io_uring_sqe){
			.opcode = connects ? IORING_OP_CONNECT : RING_BIND,
			.fd = fd,
			.addr = (uintptr_t)address,
			.addr2 = n,
		});
	return (connects ? connect : bind)(fd, (const struct sockaddr *)address, n) < 0 ? -errno
											: 0;
}

/* LISTEN answers the port that it has, CONNECT the one that it has reached. */
static inline int obey_socket(const struct order *o, struct told *told)
{
	struct sockaddr_storage address;
	socklen_t n = address_of(o, &address);
	int fd = open_for(o, &address);
	int r = fd < 0 ? -errno : bind_or_connect(o, fd, &address, n);

	if (!r && o->verb == LISTEN && listen(fd, 64) < 0)
		r = -errno;
	if (!r && (o->verb == CONNECT ? getpeername : getsockname)(fd, (struct sockaddr *)&address,
								   &n) < 0)
		r = -errno;
	told->error = r;
	told->port = ntohs(((struct sockaddr_in *)&address)->sin_port);
	if (!r && o->verb != CONNECT)
		return fd;
	close(fd);
	return -1;
}

/* The port of a connection that waits, as accept() leaves it to be asked for. */
static inline struct told accept_on(int server)
{
	_cleanup_close_ int fd = accept(server, NULL, NULL);

	return fd < 0 ? (struct told){ .error = -errno } : (struct told){ .port = port_of(fd) };
}

/* Of this process and what it starts; those that it may have are kept.  0, negative errno. */
static inline int take_capabilities(bool on)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, sets))
		return -errno;
	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
		sets[i].effective = on ? sets[i].permitted : 0;
	return syscall(SYS_capset, &header, sets) ? -errno : 0;
}

static inline int run_obedient(struct act *act)
{
	int servers[SERVERS], n = 0;
	struct order o;

	if (take_capabilities(true))
		return 1;
	while (read(act->from, &o, sizeof(o)) == sizeof(o)) {
		struct told told = { 0 };
		int fd = -1;

		if (o.verb == CLOSE_ALL)
			while (n)
				close(servers[--n]);
		else if (o.verb == ACCEPT)
			told = accept_on(servers[n - 1]);
		else if (o.verb == BECOME_NOBODY)
			told.error = setresuid(NOBODY, NOBODY, NOBODY) ? -errno : 0;
		else if (o.verb == LEAVE_NETWORK)
			told.error = leave_network();
		else
			fd = obey_socket(&o, &told);
		if (fd >= 0)
			servers[n++] = fd;
		act_tell(act, &told);
	}
	return 0;
}

static inline struct told order(struct child *child, enum verb verb, const char *address,
				uint16_t port, int flags)
{
	struct order o = { .verb = verb, .port = port, .flags = flags };

	snprintf(o.address, sizeof(o.address), "%s", address);
	assert_int_equal(write(child->to, &o, sizeof(o)), sizeof(o));
	return hear(child);
}

static inline uint16_t has(struct child *child, enum verb verb, const char *address, uint16_t port,
			   int flags)
{
	struct told told = order(child, verb, address, port, flags);

	if (told.error == -EAFNOSUPPORT || told.error == -EPROTONOSUPPORT)
		skip();
	if (told.error)
		fail_msg("%s port %d: %s", address, port, strerror(-told.error));
	return told.port;
}

static inline uint16_t bound(struct child *child, const char *address, uint16_t port)
{
	return has(child, LISTEN, address, port, 0);
}

static inline uint16_t reached(struct child *child, const char *address, uint16_t port)
{
	return has(child, CONNECT, address, port, 0);
}

static inline int refused(struct child *child, enum verb verb, const char *address, uint16_t port,
			  int flags)
{
	return -order(child, verb, address, port, flags).error;
}

#endif
