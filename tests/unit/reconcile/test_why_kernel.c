/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "reconcile/why.h"
#include "unit/random.h"

static struct net_addr address(const char *text, uint8_t *ret_family)
{
	struct net_addr a;

	assert_int_equal(net_addr_parse(text, ret_family, &a), 0);
	return a;
}

static struct socket_row owner(const char *addr, bool v6only, enum socket_state state)
{
	struct socket_row row = { .protocol = IPPROTO_TCP,

				  .state = state,
				  .v6only = v6only,
				  .v6only_known = true };

	row.addr = address(addr, &row.family);
	return row;
}

#define KERNEL_ROUNDS 400
/* A TIME_WAIT of an earlier round may be on the port, too: only a lasting disagreement counts. */
#define KERNEL_TRIES   4
#define KERNEL_WAIT_MS 5000

static const char *const real_addresses[] = { "127.0.0.1", "127.0.0.2", "0.0.0.0",
					      "::",	   "::1",	"::ffff:127.0.0.1" };

/* What owns the port in an experiment. */
enum owner_kind {
	OWNER_LISTENS,
	OWNER_IS_BOUND,
	OWNER_IS_UDP,
	OWNER_ESTABLISHED, /* the listener is closed again */
	OWNER_CLOSE_WAIT,
	OWNER_TIME_WAIT,
	_OWNER_KIND_MAX
};

struct end {
	const char *addr;
	bool v6only;
	uint16_t protocol;
};

static socklen_t fill_sockaddr(const struct end *e, uint16_t port, struct sockaddr_storage *ret)
{
	uint8_t family;
	struct net_addr a = address(e->addr, &family);

	memset(ret, 0, sizeof(*ret));
	ret->ss_family = family;
	if (family == AF_INET) {
		struct sockaddr_in *in = (struct sockaddr_in *)ret;

		in->sin_port = htons(port);
		memcpy(&in->sin_addr, a.bytes, 4);
		return sizeof(*in);
	}
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;

	in6->sin6_port = htons(port);
	memcpy(&in6->sin6_addr, a.bytes, 16);
	return sizeof(*in6);
}

/* A bound socket, or a negative errno. */
static int open_bound(const struct end *e, uint16_t port)
{
	struct sockaddr_storage sa;
	socklen_t length = fill_sockaddr(e, port, &sa);
	int v6only = e->v6only;
	_cleanup_close_ int fd = -1;

	fd = socket(sa.ss_family,
		    (e->protocol == IPPROTO_UDP ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (sa.ss_family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof(v6only)) < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&sa, length) < 0)
		return -errno;
	return TAKE_FD(fd);
}

static uint16_t port_of(int fd)
{
	struct sockaddr_storage sa;
	socklen_t length = sizeof(sa);

	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &length), 0);
	return ntohs(sa.ss_family == AF_INET ? ((struct sockaddr_in *)&sa)->sin_port
					     : ((struct sockaddr_in6 *)&sa)->sin6_port);
}

/* Reads the end of the stream, so that the peer's close is known to have arrived. */
static void wait_for_end(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char byte;

	assert_int_equal(poll(&p, 1, KERNEL_WAIT_MS), 1);
	assert_int_equal(read(fd, &byte, 1), 0);
}

/* A situation in the kernel: up to three descriptors that keep it up, and its row. */
struct experiment {
	int fds[3];
	uint16_t port;
	struct socket_row row;
};

static void experiment_end(struct experiment *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(e->fds); i++)
		if (e->fds[i] >= 0)
			close(e->fds[i]);
}

/* Turns the listener in fds[0] into a connection in one of three states, and closes it. */
static enum socket_state connect_and_close(struct experiment *e, const struct end *o,
					   enum owner_kind kind)
{
	struct sockaddr_storage sa;
	socklen_t length = fill_sockaddr(o, e->port, &sa);

	e->fds[1] = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(e->fds[1] >= 0);
	assert_int_equal(connect(e->fds[1], (struct sockaddr *)&sa, length), 0);
	e->fds[2] = accept4(e->fds[0], NULL, NULL, SOCK_CLOEXEC);
	assert_true(e->fds[2] >= 0);
	close(e->fds[0]);
	e->fds[0] = -1;
	if (kind == OWNER_ESTABLISHED)
		return SOCKET_ESTABLISHED;
	if (kind == OWNER_CLOSE_WAIT) {
		close(e->fds[1]);
		e->fds[1] = -1;
		wait_for_end(e->fds[2]);
		return SOCKET_CLOSE_WAIT;
	}
	/* the side that closes first keeps TIME_WAIT: the server's */
	shutdown(e->fds[2], SHUT_WR);
	wait_for_end(e->fds[1]);
	close(e->fds[1]);
	e->fds[1] = -1;
	wait_for_end(e->fds[2]);
	close(e->fds[2]);
	e->fds[2] = -1;
	return SOCKET_TIME_WAIT;
}

/* Sets the situation up; a negative errno when the machine lacks the address. */
static int experiment_start(const struct end *o, enum owner_kind kind, struct experiment *ret)
{
	enum socket_state state = SOCKET_BOUND;
	int fd = open_bound(o, 0);

	*ret = (struct experiment){ .fds = { fd, -1, -1 } };
	if (fd < 0)
		return fd;
	ret->port = port_of(fd);
	if (kind != OWNER_IS_BOUND && kind != OWNER_IS_UDP) {
		assert_int_equal(listen(fd, 1), 0);
		state = SOCKET_LISTEN;
	}
	if (kind >= OWNER_ESTABLISHED)
		state = connect_and_close(ret, o, kind);
	ret->row = owner(o->addr, o->v6only, state);
	ret->row.protocol = o->protocol;
	ret->row.port = ret->port;
	return 0;
}

static struct end random_end(struct random_source *r, uint16_t protocol, bool wildcard_allowed)
{
	struct end e = { .protocol = protocol };

	do
		e.addr = real_addresses[random_below(r, ARRAY_SIZE(real_addresses))];
	while (!wildcard_allowed && (!strcmp(e.addr, "::") || !strcmp(e.addr, "0.0.0.0")));
	/* a V6ONLY socket may not bind a mapped address (EINVAL), which is no conflict */
	e.v6only = !strstr(e.addr, "ffff") && random_below(r, 2);
	return e;
}

/* Does the kernel let a socket without options bind, and listen?  0 or the errno. */
static int kernel_answer(const struct end *v, uint16_t port)
{
	_cleanup_close_ int fd = open_bound(v, port);

	if (fd < 0)
		return -fd;
	return v->protocol == IPPROTO_TCP && listen(fd, 1) < 0 ? errno : 0;
}

/* 1 agreed, 0 not comparable on this machine, -1 disagreed. */
static int compare_once(const struct end *o, enum owner_kind kind, const struct end *v, bool say_so)
{
	struct why_question q = { .protocol = v->protocol, .v6only = v->v6only };
	struct experiment e;
	struct why_answer a;
	int error;

	if (experiment_start(o, kind, &e) < 0)
		return 0;
	q.addr = address(v->addr, &q.family);
	q.port = e.port;
	error = kernel_answer(v, e.port);
	/* TCP and UDP have tables of their own: the other one's socket is not handed in */
	why_explain(&q, &e.row, o->protocol == v->protocol, NULL, 0, false, &a);
	experiment_end(&e);
	if (error != 0 && error != EADDRINUSE)
		return 0; /* no IPv6 here */
	if (a.error == error && a.free == (error == 0))
		return 1;
	if (say_so)
		print_error("kind %d on %s%s, %s%s: %s here, %s in the kernel\n", kind, o->addr,
			    o->v6only ? " V6ONLY" : "", v->addr, v->v6only ? " V6ONLY" : "",
			    why_verdict_name(a.verdict), error ? net_errno_name(error) : "free");
	return -1;
}

/*
 * A network of its own, so that nobody else's ports come in between.  Where that is not allowed the
 * machine's loopback has to do.
 */
static void enter_own_network(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	_cleanup_close_ int fd = -1;

	if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &lo), 0);
}

static void the_kernel_decides_the_same_way(void **state)
{
	struct random_source r = random_start(__func__);
	int compared = 0;

	enter_own_network();
	for (int i = 0; i < KERNEL_ROUNDS; i++) {
		enum owner_kind kind = random_below(&r, _OWNER_KIND_MAX);
		uint16_t owned = kind == OWNER_IS_UDP ? IPPROTO_UDP : IPPROTO_TCP;
		uint16_t asked = random_below(&r, 8) ? owned : IPPROTO_TCP + IPPROTO_UDP - owned;
		struct end o = random_end(&r, owned, kind < OWNER_ESTABLISHED);
		struct end v = random_end(&r, asked, true);
		int agreed = -1;

		for (int try = 0; try < KERNEL_TRIES && agreed < 0; try++)
			agreed = compare_once(&o, kind, &v, try == KERNEL_TRIES - 1);
		assert_int_not_equal(agreed, -1);
		compared += agreed;
	}
	/* without IPv6 a quarter remains */
	assert_in_range(compared, KERNEL_ROUNDS / 8, KERNEL_ROUNDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_kernel_decides_the_same_way),
	};

	return cmocka_run_group_tests_name("reconcile/why against the kernel", tests, NULL, NULL);
}
