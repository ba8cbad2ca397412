/* SPDX-License-Identifier: MIT */
#include "inventory/sockdiag.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/process.h"

#define REPLY_BYTES    32768 /* the kernel fills what the reader offers, up to 32 kB a message */
#define REQUEST_BYTES  256
#define REPLY_WAIT_S   5 /* a dump answers in milliseconds; a daemon may not hang for it */
#define BYTECODE_STEPS 2

struct sockdiag {
	struct mnl_socket *nl;
	unsigned sequence;
	struct sockdiag_query query; /* of the dump that was begun */
	char reply[REPLY_BYTES];
};

struct dump {
	const struct sockdiag_query *query;
	sockdiag_visit visit;
	void *user_data;
	int error;
};

int sockdiag_open(struct sockdiag **ret)
{
	static const struct timeval wait = { .tv_sec = REPLY_WAIT_S };
	struct sockdiag *s = calloc(1, sizeof(*s));
	int error;

	if (!s)
		return -ENOMEM;
	s->sequence = (unsigned)time(NULL);
	s->nl = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
	if (!s->nl || mnl_socket_bind(s->nl, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    setsockopt(mnl_socket_get_fd(s->nl), SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) <
		    0) {
		error = -errno;
		sockdiag_free(s);
		return error;
	}
	*ret = s;
	return 0;
}

void sockdiag_free(struct sockdiag *s)
{
	if (!s)
		return;
	if (s->nl)
		mnl_socket_close(s->nl);
	free(s);
}

/* --- answers --------------------------------------------------------------------------------- */

static void decode_option(const struct nlattr *attribute, struct sockdiag_socket *ret)
{
	size_t size = mnl_attr_get_payload_len(attribute);
	const void *payload = mnl_attr_get_payload(attribute);
	struct inet_diag_sockopt option;

	switch (mnl_attr_get_type(attribute)) {
	case INET_DIAG_SHUTDOWN:
		if (size >= sizeof(uint8_t))
			ret->shutdown = *(const uint8_t *)payload;
		break;
	case INET_DIAG_SKV6ONLY:
		if (size < sizeof(uint8_t))
			break;
		ret->v6only = *(const uint8_t *)payload;
		ret->v6only_known = true;
		break;
	case INET_DIAG_CGROUP_ID:
		if (size >= sizeof(ret->cgroup_id))
			memcpy(&ret->cgroup_id, payload, sizeof(ret->cgroup_id));
		break;
	case INET_DIAG_SOCKOPT:
		if (size < sizeof(option))
			break;
		memcpy(&option, payload, sizeof(option));
		ret->freebind = option.freebind;
		ret->transparent = option.transparent;
		ret->bind_address_no_port = option.bind_address_no_port;
		break;
	}
}

/* Connection requests and minisockets have no owner in the kernel: uid 0 there is nobody's. */
static uid_t owner_of(const struct inet_diag_msg *m, enum socket_state state)
{
	if (m->idiag_timer == SOCKDIAG_TIMER_TIMEWAIT || state == SOCKET_TIME_WAIT ||
	    state == SOCKET_SYN_RECV)
		return PROCESS_UID_UNKNOWN;
	return m->idiag_uid;
}

static void copy_addr(uint8_t family, const __be32 *from, struct net_addr *ret)
{
	memcpy(ret->bytes, from, family == AF_INET ? sizeof(struct in_addr) : sizeof(ret->bytes));
}

int sockdiag_decode(const struct nlmsghdr *message, uint8_t protocol, struct sockdiag_socket *ret)
{
	const struct inet_diag_msg *m = mnl_nlmsg_get_payload(message);
	const struct nlattr *attribute;

	if (message->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
	    message->nlmsg_len < NLMSG_LENGTH(sizeof(*m)))
		return -EBADMSG;
	if (m->idiag_family != AF_INET && m->idiag_family != AF_INET6)
		return -EBADMSG;
	*ret = (struct sockdiag_socket){
		.cookie = (uint64_t)m->id.idiag_cookie[1] << 32 | m->id.idiag_cookie[0],
		.inode = m->idiag_inode,
		.state = socket_state_of_tcp(m->idiag_state),
		.family = m->idiag_family,
		.protocol = protocol,
		.port = ntohs(m->id.idiag_sport),
		.peer_port = ntohs(m->id.idiag_dport),
		.dev = m->id.idiag_if,
		.timer = m->idiag_timer,
		.expires_ms = m->idiag_expires,
	};
	ret->uid = owner_of(m, ret->state);
	copy_addr(m->idiag_family, m->id.idiag_src, &ret->addr);
	copy_addr(m->idiag_family, m->id.idiag_dst, &ret->peer);
	mnl_attr_for_each(attribute, message, sizeof(*m)) decode_option(attribute, ret);
	return 0;
}

static int on_message(const struct nlmsghdr *message, void *user_data)
{
	struct dump *d = user_data;
	struct sockdiag_socket socket;

	d->error = sockdiag_decode(message, d->query->protocol, &socket);
	if (!d->error && (!d->query->port || socket.port == d->query->port))
		d->error = d->visit(&socket, d->user_data);
	return d->error ? MNL_CB_ERROR : MNL_CB_OK;
}

/* --- requests -------------------------------------------------------------------------------- */

/*
 * "Local port equals": the comparison, then its operand.  By bytecode, because the kernel ignores
 * idiag_sport where it lists bound-inactive sockets and would send those of every port.
 */
static void put_port_filter(struct nlmsghdr *message, uint16_t port)
{
	struct inet_diag_bc_op filter[BYTECODE_STEPS] = {
		/* Both jumps count from here: to the end accepts, 4 bytes beyond it refuses. */
		{ .code = INET_DIAG_BC_S_EQ, .yes = sizeof(filter), .no = sizeof(filter) + 4 },
		{ .no = port },
	};

	mnl_attr_put(message, INET_DIAG_REQ_BYTECODE, sizeof(filter), filter);
}

int sockdiag_begin(struct sockdiag *s, const struct sockdiag_query *query)
{
	char buffer[REQUEST_BYTES] __attribute__((aligned(8)));
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct inet_diag_req_v2 *request;

	s->query = *query;
	message->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	message->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	message->nlmsg_seq = ++s->sequence;
	request = mnl_nlmsg_put_extra_header(message, sizeof(*request));
	request->sdiag_family = query->family;
	request->sdiag_protocol = query->protocol;
	request->idiag_states = query->states;
	request->idiag_ext = 1U << (INET_DIAG_SHUTDOWN - 1);
	if (query->port)
		put_port_filter(message, query->port);
	return mnl_socket_sendto(s->nl, message, message->nlmsg_len) < 0 ? -errno : 0;
}

int sockdiag_next(struct sockdiag *s, sockdiag_visit visit, void *user_data, bool *ret_more)
{
	struct dump dump = { .query = &s->query, .visit = visit, .user_data = user_data };
	unsigned id = mnl_socket_get_portid(s->nl);
	ssize_t n;
	int r;

	do
		n = mnl_socket_recvfrom(s->nl, s->reply, sizeof(s->reply));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	r = mnl_cb_run(s->reply, (size_t)n, s->sequence, id, on_message, &dump);
	*ret_more = r > MNL_CB_STOP;
	if (r >= MNL_CB_STOP)
		return 0;
	return dump.error ? dump.error : -errno;
}

/* A dump that was ended early leaves messages behind; a new socket has none. */
static int reopen(struct sockdiag *s)
{
	struct sockdiag *fresh;
	int r = sockdiag_open(&fresh);

	if (r)
		return r;
	mnl_socket_close(s->nl);
	s->nl = TAKE_PTR(fresh->nl);
	sockdiag_free(fresh);
	return 0;
}

int sockdiag_dump(struct sockdiag *s, const struct sockdiag_query *query, sockdiag_visit visit,
		  void *user_data)
{
	int r = sockdiag_begin(s, query), reopened;

	for (bool more = !r; !r && more;)
		r = sockdiag_next(s, visit, user_data, &more);
	if (!r)
		return 0;
	reopened = reopen(s);
	return reopened ? reopened : r;
}

/* --- what this kernel can -------------------------------------------------------------------- */

/* On the wildcard: in a fresh namespace, whose lo is down, 127.0.0.1 is nobody's address. */
static int bind_somewhere(uint16_t *ret_port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	_cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t size = sizeof(addr);

	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&addr, size) ||
	    getsockname(fd, (struct sockaddr *)&addr, &size))
		return -errno;
	*ret_port = ntohs(addr.sin_port);
	return TAKE_FD(fd);
}

static int note_any(const struct sockdiag_socket *socket, void *user_data)
{
	*(bool *)user_data = true;
	return 0;
}

int sockdiag_lists_bound_inactive(struct sockdiag *s, bool *ret)
{
	struct sockdiag_query query = {
		.family = AF_INET,
		.protocol = IPPROTO_TCP,
		.states = SOCKDIAG_BOUND_INACTIVE,
	};
	_cleanup_close_ int fd = bind_somewhere(&query.port);

	*ret = false;
	if (fd < 0)
		return fd;
	return sockdiag_dump(s, &query, note_any, ret);
}
