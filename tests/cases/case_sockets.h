/* SPDX-License-Identifier: MIT */
/* Sockets of a case: endpoints as they are described, and a connection on the case's port. */
#ifndef CASES_CASE_SOCKETS_H
#define CASES_CASE_SOCKETS_H

#include <arpa/inet.h>
#include <linux/filter.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "case.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

static inline uint16_t asked_port(const struct scene *s)
{
	if (s->attempt.any_port)
		return 0;
	return s->attempt.port ? s->attempt.port : s->port;
}

static inline void switch_on(int fd, int level, int option)
{
	int on = 1;

	need(setsockopt(fd, level, option, &on, sizeof(on)) == 0);
}

/* A program that steers to the first socket of the group: what it says does not matter here. */
static inline void attach_program(int fd)
{
	struct sock_filter code[] = { BPF_STMT(BPF_RET | BPF_K, 0) };
	struct sock_fprog program = { .len = 1, .filter = code };

	need(setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof(program)) == 0);
}

static inline const char *endpoint_addr(const struct endpoint *e)
{
	return e->addr ?: "0.0.0.0";
}

/* A socket with the options of the endpoint; not bound. */
static inline int endpoint_open(const struct endpoint *e)
{
	int family = e->family ?: AF_INET;
	int fd = socket(family, (e->type ?: SOCK_STREAM) | SOCK_CLOEXEC, e->protocol);
	int v6only = e->v6only;

	need(fd >= 0);
	if (e->reuseaddr)
		switch_on(fd, SOL_SOCKET, SO_REUSEADDR);
	if (e->reuseport)
		switch_on(fd, SOL_SOCKET, SO_REUSEPORT);
	if (family == AF_INET6) /* whatever net.ipv6.bindv6only says */
		need(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof(v6only)) == 0);
	if (e->device)
		need(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, e->device,
				(socklen_t)strlen(e->device)) == 0);
	if (e->program)
		attach_program(fd);
	return fd;
}

static inline socklen_t endpoint_address(const struct endpoint *e, uint16_t port,
					 struct sockaddr_storage *ret)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;
	struct sockaddr_in *in = (struct sockaddr_in *)ret;

	memset(ret, 0, sizeof(*ret));
	port = htons(e->any_port ? 0 : e->port ?: port);
	if (e->family == AF_INET6) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = port;
		in6->sin6_scope_id = e->scope;
		need(inet_pton(AF_INET6, e->addr, &in6->sin6_addr) == 1);
		return sizeof(*in6);
	}
	in->sin_family = AF_INET;
	in->sin_port = port;
	need(inet_pton(AF_INET, endpoint_addr(e), &in->sin_addr) == 1);
	return sizeof(*in);
}

/* 0, or -1 and errno. */
static inline int endpoint_bind(int fd, const struct endpoint *e, uint16_t port)
{
	struct sockaddr_storage a;
	socklen_t n = endpoint_address(e, port, &a);

	return bind(fd, (struct sockaddr *)&a, n);
}

/* The same of connect(). */
static inline int endpoint_connect(int fd, const struct endpoint *e, uint16_t port)
{
	struct sockaddr_storage a;
	socklen_t n = endpoint_address(e, port, &a);

	return connect(fd, (struct sockaddr *)&a, n);
}

static inline struct outcome try_listen(int fd)
{
	return (struct outcome){ CALL_LISTEN, listen(fd, 8) == 0 ? 0 : errno };
}

/* What a server does: socket, bind, listen.  Its socket is closed again. */
static inline struct outcome try_endpoint(struct scene *s)
{
	int fd = s->fd >= 0 ? s->fd : endpoint_open(&s->attempt);
	struct outcome o = { CALL_BIND, 0 };

	if (endpoint_bind(fd, &s->attempt, s->port) < 0)
		o.error = errno;
	else if (s->attempt.type != SOCK_DGRAM)
		o = try_listen(fd);
	close(fd);
	return o;
}

/* For await(), where the kernel lets go a moment later. */
static inline bool is_free(struct scene *s)
{
	return try_endpoint(s).error == 0;
}

/* The holder's socket, bound. */
static inline int holder_bind(struct scene *s)
{
	int fd = endpoint_open(&s->holder);

	need(endpoint_bind(fd, &s->holder, s->port) == 0);
	return fd;
}

static inline int holder_listen(struct scene *s)
{
	int fd = holder_bind(s);

	need(listen(fd, 8) == 0);
	return fd;
}

/* --- actors that many cases have --- */

static inline void run_bound(struct scene *s)
{
	become_user(s->holder.user);
	holder_bind(s);
	tell(s, 0);
}

static inline void run_listener(struct scene *s)
{
	become_user(s->holder.user);
	holder_listen(s);
	tell(s, 0);
}

/* The process on the port. */
static inline void start_holder(struct scene *s, void (*run)(struct scene *s))
{
	s->first = actor_start(s, "holder", run);
	name_holder(s, s->first.pid);
}

/* remedy: the holder is stopped, and nothing stands in its place. */
static inline void stop_holder(struct scene *s)
{
	actor_kill(&s->first);
}

/* remedy: the holder is started again as s->holder now says. */
static inline void restart_listener(struct scene *s)
{
	actor_kill(&s->first);
	s->first = actor_start(s, "holder", run_listener);
}

/* remedy: the holder does its next step by itself. */
static inline void let_holder_go_on(struct scene *s)
{
	actor_step(&s->first);
}

static inline uint16_t local_port(int fd)
{
	struct sockaddr_storage a = { 0 };
	socklen_t n = sizeof(a);

	need(getsockname(fd, (struct sockaddr *)&a, &n) == 0);
	/* the port is at the same place in both families */
	return ntohs(((struct sockaddr_in *)&a)->sin_port);
}

/* --- a connection to the case's port --- */

#define LINGER_S 600

static inline int connect_to(uint16_t port)
{
	const struct endpoint e = { .addr = "127.0.0.1" };
	int fd = endpoint_open(&e);

	need(endpoint_connect(fd, &e, port) == 0);
	return fd;
}

/* A client: connects; half-closes; closes. */
static inline void run_client(struct scene *s)
{
	int fd = connect_to(s->port);

	tell(s, 0);
	need(shutdown(fd, SHUT_WR) == 0);
	tell(s, 0);
	close(fd);
	tell(s, 0);
}

/* In the server: listens, says so, accepts one connection, and closes the listener. */
static inline int serve_one(struct scene *s)
{
	int fd, listener = holder_listen(s);

	tell(s, 0);
	fd = accept(listener, NULL, NULL);
	need(fd >= 0);
	close(listener);
	return fd;
}

/* Starts `server` and a client, and waits for what the server tells after it has accepted. */
static inline void start_connection(struct scene *s, void (*server)(struct scene *s))
{
	s->server = actor_start(s, "server", server);
	s->client = actor_start(s, "client", run_client);
	actor_step(&s->server);
}

/* The same of a server that is on the port. */
static inline void start_server(struct scene *s, void (*run)(struct scene *s))
{
	start_connection(s, run);
	name_holder(s, s->server.pid);
}

/* A server that keeps its connection until it is told otherwise. */
static inline void run_server_keeping(struct scene *s)
{
	int fd = serve_one(s);

	tell(s, 0);
	close(fd);
	tell(s, 0);
}

/* A server that closes its connection; it was the first if nobody else has. */
static inline void run_server_closing(struct scene *s)
{
	close(serve_one(s));
	tell(s, 0);
}

/* Fills the peer's receive buffer and one's own send buffer. */
static inline void send_until_full(int fd)
{
	static const char data[65536];
	ssize_t n;

	do
		n = send(fd, data, sizeof(data), MSG_DONTWAIT);
	while (n > 0);
	need(errno == EAGAIN);
}

/* A connection whose close() waits: for data that the client does not read. */
static inline int serve_lingering(struct scene *s)
{
	struct linger linger = { .l_onoff = 1, .l_linger = LINGER_S };
	int fd = serve_one(s);

	need(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) == 0);
	send_until_full(fd);
	return fd;
}

/* A server that closes with data that the client does not read. */
static inline void run_server_closing_full(struct scene *s)
{
	int fd = serve_one(s);

	send_until_full(fd);
	tell(s, 0);
	close(fd);
	tell(s, 0);
}

/* The states of /proc/net/tcp (include/net/tcp_states.h) in which a case may have to wait. */
#define STATE_FIN_WAIT1	 "04"
#define STATE_FIN_WAIT2	 "05"
#define STATE_TIME_WAIT	 "06"
#define STATE_CLOSE_WAIT "08"
#define STATE_LAST_ACK	 "09"
#define STATE_CLOSING	 "0B"

/* Waits until the server's side of the connection is in this state: an ACK may be delayed. */
static inline void await_state(struct scene *s, const char *state)
{
	char line[256];

	snprintf(line, sizeof(line),
		 "i=0; until grep -qi ':%04X 0100007F:.... %s ' /proc/net/tcp;"
		 " do i=$((i+1)); [ $i -lt 2000 ] || exit 1; sleep 0.01; done",
		 s->port, state);
	command("%s", line);
}

/* set_up: the server has closed first and its client is gone, too. */
static inline void leave_time_wait(struct scene *s)
{
	start_connection(s, run_server_closing);
	actor_kill(&s->client);
	await_state(s, STATE_TIME_WAIT);
}

/* Resets the connection from the client's side: its unread data does. */
static inline void kill_client(struct scene *s)
{
	actor_kill(&s->client);
}

/* `ss -K` on what is bound to the case's port. */
static inline void destroy_sockets(struct scene *s)
{
	command("ss -K -t state connected sport = :%u >/dev/null", s->port);
}

#endif
