/* SPDX-License-Identifier: MIT */
/* Rules of runs: a hard-coded port becomes the run's own, siblings reach it by the old number, and
 * a protected port is bound by nobody else. */
#include <linux/io_uring.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "base/net.h"
#include "base/run.h"
#include "kernel/actors.h"

#define NOBODY	  65534
#define ASKED	  3000
#define OWN	  5742
#define OTHER	  5743
#define PROJECT	  7
#define SERVERS	  8
#define REUSEPORT 1 /* flags of an order */
#define V6ONLY	  2
#define DATAGRAM  4
#define MPTCP	  8
#define RING	  16 /* by io_uring */
#define RING_BIND 56 /* IORING_OP_BIND, since Linux 6.11 */

/* --- a process that does what it is told --- */

enum verb { BIND, LISTEN, CONNECT, CLOSE_ALL, BECOME_NOBODY, LEAVE_NETWORK };

struct order {
	enum verb verb;
	int flags;
	char address[NET_ADDR_STR_SIZE];
	uint16_t port;
};

static socklen_t address_of(const struct order *o, struct sockaddr_storage *ret)
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

static int open_for(const struct order *o, const struct sockaddr_storage *address)
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

/* One request of io_uring, and its result: what bind() and connect() would return. */
static int ask_ring(uint8_t opcode, int fd, const struct sockaddr_storage *address, socklen_t n)
{
	struct io_uring_params p = { 0 };
	int ring = (int)syscall(SYS_io_uring_setup, 1, &p), r = ring < 0 ? -errno : 0;
	size_t sq_size = p.sq_off.array + p.sq_entries * sizeof(uint32_t);
	size_t cq_size = p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe);
	struct io_uring_sqe *request;
	char *sq, *cq;

	if (r)
		return r;
	sq = mmap(NULL, sq_size, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
	cq = mmap(NULL, cq_size, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_CQ_RING);
	request = mmap(NULL, sizeof(*request), PROT_READ | PROT_WRITE, MAP_SHARED, ring,
		       IORING_OFF_SQES);
	assert_true(sq != MAP_FAILED && cq != MAP_FAILED && request != MAP_FAILED);
	*request = (struct io_uring_sqe){
		.opcode = opcode, .fd = fd, .addr = (uintptr_t)address, .addr2 = n
	};
	__atomic_store_n((uint32_t *)(sq + p.sq_off.tail), 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) != 1)
		r = -errno;
	else
		r = ((struct io_uring_cqe *)(cq + p.cq_off.cqes))->res;
	munmap(sq, sq_size);
	munmap(cq, cq_size);
	munmap(request, sizeof(*request));
	close(ring);
	return r;
}

static int bind_or_connect(const struct order *o, int fd, const struct sockaddr_storage *address,
			   socklen_t n)
{
	bool connects = o->verb == CONNECT;

	if (o->flags & RING)
		return ask_ring(connects ? IORING_OP_CONNECT : RING_BIND, fd, address, n);
	return (connects ? connect : bind)(fd, (const struct sockaddr *)address, n) < 0 ? -errno
											: 0;
}

/* LISTEN answers the port that it has, CONNECT the one that it has reached. */
static int obey_socket(const struct order *o, struct told *told)
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

static int raise_loopback(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int r = ioctl(fd, SIOCSIFFLAGS, &lo) < 0 ? -errno : 0;

	close(fd);
	return r;
}

static int leave_network(void)
{
	return unshare(CLONE_NEWNET) < 0 ? -errno : raise_loopback();
}

static int run_obedient(struct act *act)
{
	int servers[SERVERS], n = 0;
	struct order o;

	while (read(act->from, &o, sizeof(o)) == sizeof(o)) {
		struct told told = { 0 };
		int fd = -1;

		if (o.verb == CLOSE_ALL)
			while (n)
				close(servers[--n]);
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

static struct told order(struct child *child, enum verb verb, const char *address, uint16_t port,
			 int flags)
{
	struct order o = { .verb = verb, .port = port, .flags = flags };

	snprintf(o.address, sizeof(o.address), "%s", address);
	assert_int_equal(write(child->to, &o, sizeof(o)), sizeof(o));
	return hear(child);
}

static uint16_t has(struct child *child, enum verb verb, const char *address, uint16_t port,
		    int flags)
{
	struct told told = order(child, verb, address, port, flags);

	if (told.error == -EAFNOSUPPORT || told.error == -EPROTONOSUPPORT)
		skip();
	if (told.error)
		fail_msg("%s port %d: %s", address, port, strerror(-told.error));
	return told.port;
}

static uint16_t bound(struct child *child, const char *address, uint16_t port)
{
	return has(child, LISTEN, address, port, 0);
}

static uint16_t reached(struct child *child, const char *address, uint16_t port)
{
	return has(child, CONNECT, address, port, 0);
}

static int refused(struct child *child, enum verb verb, const char *address, uint16_t port,
		   int flags)
{
	return -order(child, verb, address, port, flags).error;
}

/* --- runs with rules --- */

static uint32_t next_run = 100;

static void need_rules(struct watcher *w)
{
	const struct sentinel_report *report = sentinel_report(w->sentinel);

	if (sentinel_kernel_source(w->sentinel)->set_run_rules)
		return;
	for (int i = 0; i < report->n_probes; i++)
		if (!strcmp(report->probes[i].name, "rules"))
			fail_msg("no rules: %s", report->probes[i].reason);
	fail_msg("no eBPF");
}

/* A child in a run of its own, with `n` hard-coded ports from ASKED on that become OWN and so on.
 */
static struct child begin(struct watcher *w, uint16_t port, uint16_t n, uint32_t *ret_run)
{
	struct run_rules rules = { .project = PROJECT, .port = port, .n = n };
	struct child child = start_child(run_obedient);
	struct process_id id;

	need_rules(w);
	for (uint16_t i = 0; i < n; i++)
		rules.hardcoded[i] = (struct run_hardcoded){ (uint16_t)(ASKED + i),
							     (uint16_t)(port + i) };
	*ret_run = next_run++;
	assert_int_equal(procfs_identity(child.pid, &id), 0);
	assert_int_equal(ASK(w->sentinel, set_run_rules, *ret_run, &rules), 0);
	assert_int_equal(ASK(w->sentinel, begin_run, *ret_run, &id), 0);
	return child;
}

static void lift(struct watcher *w, uint32_t run)
{
	ASK(w->sentinel, set_siblings, PROJECT, ASKED, NULL, 0);
	ASK(w->sentinel, set_run_rules, run, NULL);
}

/* --- hard-coded ports --- */

TEST_WITH(hardcoded_port_is_bound_as_that_of_the_run, struct watcher *w)
{
	static const struct {
		const char *address;
		int flags;
	} kinds[] = { { "0.0.0.0", 0 },	       { "127.0.0.1", 0 },  { "::", 0 },
		      { "::", V6ONLY },	       { "::1", 0 },	    { "::ffff:127.0.0.1", 0 },
		      { "::ffff:0.0.0.0", 0 }, { "0.0.0.0", MPTCP } };
	uint32_t run;
	struct child member = begin(w, OWN, 1, &run);

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		assert_int_equal(has(&member, LISTEN, kinds[i].address, ASKED, kinds[i].flags),
				 OWN);
		order(&member, CLOSE_ALL, "", 0, 0);
	}
	lift(w, run);
}

TEST_WITH(what_is_not_hardcoded_is_left_alone, struct watcher *w)
{
	uint32_t run;
	struct child member = begin(w, OWN, 1, &run), stranger = start_child(run_obedient);

	assert_int_equal(bound(&stranger, "127.0.0.1", ASKED), ASKED);
	assert_int_equal(bound(&member, "127.0.0.1", ASKED + 1), ASKED + 1);
	assert_int_not_equal(bound(&member, "127.0.0.1", 0), OWN);
	assert_int_equal(has(&member, BIND, "127.0.0.1", ASKED, DATAGRAM), ASKED);
	assert_int_equal(has(&member, BIND, "0.0.0.0", 0, 0) == OWN, 0);
	lift(w, run);
}

TEST_WITH(member_reaches_its_server_by_either_number_on_every_loopback_address, struct watcher *w)
{
	static const char *const addresses[] = { "127.0.0.1", "127.1.2.3", "::1",
						 "::ffff:127.0.0.1", "0.0.0.0" };
	uint32_t run;
	struct child member = begin(w, OWN, 1, &run);

	assert_int_equal(refused(&member, CONNECT, "127.0.0.1", ASKED, 0), ECONNREFUSED);
	assert_int_equal(bound(&member, "::", ASKED), OWN);
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		assert_int_equal(reached(&member, addresses[i], ASKED), OWN);
		assert_int_equal(reached(&member, addresses[i], OWN), OWN);
	}
	lift(w, run);
}

TEST_WITH(genuine_server_is_reached_unless_a_sibling_has_the_port, struct watcher *w)
{
	uint32_t run;
	struct child member = begin(w, OWN, 1, &run), genuine = start_child(run_obedient);

	assert_int_equal(bound(&genuine, "127.0.0.1", ASKED), ASKED);
	assert_int_equal(reached(&member, "127.0.0.1", ASKED), ASKED);
	assert_int_equal(bound(&member, "127.0.0.1", ASKED), OWN);
	assert_int_equal(reached(&member, "127.0.0.1", ASKED), OWN);
	order(&member, CLOSE_ALL, "", 0, 0);
	assert_int_equal(reached(&member, "127.0.0.1", ASKED), ASKED);
	lift(w, run);
}

/* Until the last of them is closed; an MPTCP socket has its port by a socket below it. */
TEST_WITH(port_is_had_as_long_as_one_socket_has_it, struct watcher *w)
{
	uint32_t run;
	struct child member = begin(w, OWN, 1, &run), other = begin(w, OTHER, 0, &run);

	ASK(w->sentinel, set_siblings, PROJECT, ASKED, (const uint32_t[]){ run - 1 }, 1);
	assert_int_equal(bound(&member, "127.0.0.1", ASKED), OWN);
	assert_int_equal(has(&member, LISTEN, "::1", ASKED, V6ONLY), OWN);
	assert_int_equal(reached(&other, "::1", ASKED), OWN);
	order(&member, CLOSE_ALL, "", 0, 0);
	assert_int_equal(refused(&other, CONNECT, "127.0.0.1", ASKED, 0), ECONNREFUSED);
	assert_int_equal(has(&member, LISTEN, "127.0.0.1", ASKED, MPTCP), OWN);
	assert_int_equal(reached(&other, "127.0.0.1", ASKED), OWN);
	kill(member.pid, SIGKILL);
	end_child(&member);
	assert_int_equal(refused(&other, CONNECT, "127.0.0.1", ASKED, 0), ECONNREFUSED);
	lift(w, run - 1);
	lift(w, run);
}

TEST_WITH(siblings_of_a_project_reach_it_and_others_do_not, struct watcher *w)
{
	struct child stranger = start_child(run_obedient), server, sibling;
	uint32_t run, of_sibling;

	server = begin(w, OWN, 1, &run);
	sibling = begin(w, OTHER, 0, &of_sibling);
	assert_int_equal(bound(&server, "127.0.0.1", ASKED), OWN);
	assert_int_equal(refused(&sibling, CONNECT, "127.0.0.1", ASKED, 0), ECONNREFUSED);
	ASK(w->sentinel, set_siblings, PROJECT, ASKED, &run, 1);
	assert_int_equal(reached(&sibling, "127.0.0.1", ASKED), OWN);
	assert_int_equal(refused(&stranger, CONNECT, "127.0.0.1", ASKED, 0), ECONNREFUSED);
	lift(w, run);
	lift(w, of_sibling);
}

TEST_WITH(two_hardcoded_ports_are_two_and_sockets_share_as_they_would_have, struct watcher *w)
{
	uint32_t run;
	struct child member = begin(w, OWN, 2, &run);

	assert_int_equal(has(&member, LISTEN, "127.0.0.1", ASKED, REUSEPORT), OWN);
	assert_int_equal(has(&member, LISTEN, "127.0.0.1", ASKED, REUSEPORT), OWN);
	assert_int_equal(bound(&member, "127.0.0.1", ASKED + 1), OWN + 1);
	assert_int_equal(reached(&member, "127.0.0.1", ASKED + 1), OWN + 1);
	lift(w, run);
}

TEST_WITH(refusal_tells_both_ports, struct watcher *w)
{
	const struct event *e;
	uint32_t run;
	struct child member = begin(w, OWN, 1, &run);

	bound(&member, "127.0.0.1", ASKED);
	assert_int_equal(refused(&member, LISTEN, "127.0.0.1", ASKED, 0), EADDRINUSE);
	e = await_event(w, EVENT_FAIL, member.pid);
	assert_int_equal(e->asked_port, ASKED);
	assert_int_equal(e->port, OWN);
	assert_int_equal(e->stage, EVENT_STAGE_PASSED);
	assert_false(event_is_rewritten(e));
	assert_true(e->n_owners > 0);
	lift(w, run);
}

TEST_WITH(low_port_in_a_source_needs_no_privilege, struct watcher *w)
{
	struct run_rules rules = { .n = 1, .hardcoded = { { 80, OWN } } };
	uint32_t run;
	struct child member = begin(w, OWN, 0, &run);

	ASK(w->sentinel, set_run_rules, run, NULL);
	assert_int_equal(ASK(w->sentinel, set_run_rules, run, &rules), 0);
	if (order(&member, BECOME_NOBODY, "", 0, 0).error)
		skip();
	assert_int_equal(bound(&member, "0.0.0.0", 80), OWN);
	lift(w, run);
}

TEST_WITH(io_uring_is_given_the_same_ports_and_refused_as_well, struct watcher *w)
{
	struct child stranger = start_child(run_obedient), member;
	int by = RING;
	struct told told;
	uint32_t run;

	member = begin(w, OWN, 1, &run);
	told = order(&member, LISTEN, "127.0.0.1", ASKED, by);
	if (told.error == -ENOSYS || told.error == -EPERM)
		skip();
	if (told.error == -EINVAL) { /* before Linux 6.11 it connects, and binds nothing */
		by = 0;
		told = order(&member, LISTEN, "127.0.0.1", ASKED, by);
	}
	assert_int_equal(told.error, 0);
	assert_int_equal(told.port, OWN);
	assert_int_equal(has(&member, CONNECT, "127.0.0.1", ASKED, RING), OWN);
	order(&member, CLOSE_ALL, "", 0, 0);
	assert_int_equal(refused(&member, CONNECT, "127.0.0.1", ASKED, RING), ECONNREFUSED);
	assert_int_equal(ASK(w->sentinel, protect_port, OWN, true), 0);
	told = order(&stranger, BIND, "127.0.0.1", OWN, by);
	assert_true(told.error == -EADDRINUSE || told.error == -EPERM);
	ASK(w->sentinel, protect_port, OWN, false);
	lift(w, run);
}

/* --- protected ports --- */

TEST_WITH(protected_port_is_bound_by_its_run_alone, struct watcher *w)
{
	static const char *const addresses[] = { "127.0.0.1", "0.0.0.0", "::", "::1" };
	struct child stranger = start_child(run_obedient), member;
	const struct event *e;
	uint32_t run;

	member = begin(w, OWN, 0, &run);
	assert_int_equal(ASK(w->sentinel, protect_port, OWN, true), 0);
	assert_int_equal(ASK(w->sentinel, protect_port, OWN, true), 0);
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		int error = refused(&stranger, LISTEN, addresses[i], OWN, REUSEPORT);

		assert_true(error == EADDRINUSE || error == EPERM);
		error = refused(&stranger, BIND, addresses[i], OWN, DATAGRAM);
		assert_true(error == EADDRINUSE || error == EPERM);
	}
	e = await_event(w, EVENT_FAIL, stranger.pid);
	assert_int_equal(e->stage, EVENT_STAGE_PROTECTED);
	assert_int_equal(bound(&stranger, "127.0.0.1", OTHER), OTHER);
	assert_int_equal(bound(&member, "0.0.0.0", OWN), OWN);
	order(&member, CLOSE_ALL, "", 0, 0);
	assert_int_equal(ASK(w->sentinel, protect_port, OWN, false), 0);
	assert_int_equal(bound(&stranger, "0.0.0.0", OWN), OWN);
	lift(w, run);
}

TEST_WITH(port_of_another_network_namespace_is_not_protected_nor_rewritten, struct watcher *w)
{
	struct child stranger = start_child(run_obedient), member;
	uint32_t run;

	member = begin(w, OWN, 1, &run);
	assert_int_equal(ASK(w->sentinel, protect_port, OWN, true), 0);
	assert_int_equal(order(&stranger, LEAVE_NETWORK, "", 0, 0).error, 0);
	assert_int_equal(bound(&stranger, "127.0.0.1", OWN), OWN);
	assert_int_equal(order(&member, LEAVE_NETWORK, "", 0, 0).error, 0);
	assert_int_equal(bound(&member, "127.0.0.1", ASKED), ASKED);
	ASK(w->sentinel, protect_port, OWN, false);
	lift(w, run);
}

static int start_watching_apart(void **state)
{
	return leave_network() ?: start_watching(state);
}

WATCHING_TEST_MAIN(start_watching_apart, stop_watching)
