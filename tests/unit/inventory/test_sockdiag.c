/* SPDX-License-Identifier: MIT */
/* What sock_diag says of real sockets, in a network namespace of the test's own. */
#include <sys/stat.h>

#include <linux/netlink.h>

#include "inventory/inventory.h"
#include "inventory/sockdiag.h"
#include "testing.h"
#include "unit/inventory/netns.h"

#define PORT  3000
#define MPTCP 262

DEFINE_CLEANUP(struct inventory *, inventory_free);

static struct sockdiag *diag;

static int setup(void **state)
{
	return sockdiag_open(&diag);
}

static int teardown(void **state)
{
	sockdiag_free(diag);
	return 0;
}

struct found {
	struct sockdiag_socket sockets[16];
	size_t n;
};

static int collect(const struct sockdiag_socket *socket, void *user_data)
{
	struct found *found = user_data;

	assert_true(found->n < ARRAY_SIZE(found->sockets));
	found->sockets[found->n++] = *socket;
	return 0;
}

static struct found dump(uint8_t family, uint8_t protocol, uint32_t states, uint16_t port)
{
	struct sockdiag_query query = { family, protocol, states, port };
	struct found found = { .n = 0 };

	assert_int_equal(sockdiag_dump(diag, &query, collect, &found), 0);
	return found;
}

static struct sockdiag_socket only(uint8_t family, uint8_t protocol, uint32_t states)
{
	struct found found = dump(family, protocol, states, PORT);

	assert_int_equal(found.n, 1);
	assert_int_equal(found.sockets[0].port, PORT);
	return found.sockets[0];
}

static uint64_t inode_of(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return st.st_ino;
}

static uint64_t cookie_of(int fd)
{
	uint64_t cookie = 0;
	socklen_t size = sizeof(cookie);

	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size), 0);
	return cookie;
}

TEST(a_listener_is_told_with_inode_cookie_and_owner)
{
	_cleanup_close_ int fd = netns_bind(AF_INET, SOCK_STREAM, NULL, PORT, NETNS_LISTEN);
	struct sockdiag_socket s = only(AF_INET, IPPROTO_TCP, SOCKDIAG_LISTEN);

	assert_int_equal(s.state, SOCKET_LISTEN);
	assert_int_equal(s.inode, inode_of(fd));
	assert_int_equal(s.cookie, cookie_of(fd));
	assert_int_equal(s.uid, geteuid());
	assert_memory_equal(s.addr.bytes, "\x7f\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	assert_int_equal(s.shutdown, 0);
}

TEST(a_bound_socket_is_told_where_the_kernel_can)
{
	_cleanup_close_ int fd = netns_bind(AF_INET, SOCK_STREAM, NULL, PORT, 0);
	_cleanup_close_ int other = netns_bind(AF_INET, SOCK_STREAM, NULL, PORT + 1, 0);
	struct sockdiag_socket s;
	bool can;

	assert_int_equal(sockdiag_lists_bound_inactive(diag, &can), 0);
	if (!can)
		skip(); /* kernel before 6.8 */
	s = only(AF_INET, IPPROTO_TCP, SOCKDIAG_BOUND_INACTIVE);
	assert_true(fd >= 0 && other >= 0);
	assert_int_equal(s.state, SOCKET_BOUND);
	assert_int_equal(s.inode, inode_of(fd));
}

TEST(a_udp_socket_is_bound)
{
	_cleanup_close_ int fd = netns_bind(AF_INET6, SOCK_DGRAM, NULL, PORT, 0);
	struct sockdiag_socket s = only(AF_INET6, IPPROTO_UDP, SOCKDIAG_ALL);

	assert_int_equal(s.state, SOCKET_BOUND);
	assert_int_equal(s.inode, inode_of(fd));
	assert_int_equal(s.addr.bytes[15], 1);
}

TEST(v6only_is_told_apart_from_dual_stack)
{
	for (int v6only = 0; v6only <= 1; v6only++) {
		_cleanup_close_ int fd = netns_bind(AF_INET6, SOCK_STREAM, "::", PORT,
						    NETNS_LISTEN | (v6only ? NETNS_V6ONLY : 0));
		struct sockdiag_socket s = only(AF_INET6, IPPROTO_TCP, SOCKDIAG_LISTEN);

		assert_true(fd >= 0);
		assert_true(s.v6only_known);
		assert_int_equal(s.v6only, v6only);
	}
}

TEST(both_of_a_reuseport_pair_are_told)
{
	_cleanup_close_ int a = netns_bind(AF_INET, SOCK_STREAM, NULL, PORT,
					   NETNS_LISTEN | NETNS_REUSEPORT);
	_cleanup_close_ int b = netns_bind(AF_INET, SOCK_STREAM, NULL, PORT,
					   NETNS_LISTEN | NETNS_REUSEPORT);
	struct found found = dump(AF_INET, IPPROTO_TCP, SOCKDIAG_LISTEN, PORT);

	assert_true(a >= 0 && b >= 0);
	assert_int_equal(found.n, 2);
	assert_int_not_equal(found.sockets[0].cookie, found.sockets[1].cookie);
}

static bool is_time_wait_there(uint16_t port)
{
	struct found found = dump(AF_INET, IPPROTO_TCP, SOCKDIAG_ALL, port);

	for (size_t i = 0; i < found.n; i++)
		if (found.sockets[i].state == SOCKET_TIME_WAIT)
			return true;
	return false;
}

static void make_time_wait(uint16_t port)
{
	assert_int_equal(netns_make_time_wait(port), 0);
	AWAIT(is_time_wait_there(port));
}

TEST(time_wait_tells_what_is_left_of_it)
{
	struct sockdiag_socket s;

	make_time_wait(PORT + 7);
	s = dump(AF_INET, IPPROTO_TCP, SOCKDIAG_ALL, PORT + 7).sockets[0];
	assert_int_equal(s.timer, SOCKDIAG_TIMER_TIMEWAIT);
	assert_in_range(s.expires_ms, 1, 60000);
	assert_int_equal(s.inode, 0);
	assert_int_equal(s.uid, (uid_t)-1);
}

static int refuse(const struct sockdiag_socket *socket, void *user_data)
{
	return -ECANCELED;
}

TEST(an_ended_dump_does_not_disturb_the_next)
{
	struct sockdiag_query query = { AF_INET, IPPROTO_TCP, SOCKDIAG_LISTEN, 0 };
	_cleanup_close_ int fd = netns_bind(AF_INET, SOCK_STREAM, NULL, PORT, NETNS_LISTEN);

	assert_true(fd >= 0);
	assert_int_equal(sockdiag_dump(diag, &query, refuse, NULL), -ECANCELED);
	only(AF_INET, IPPROTO_TCP, SOCKDIAG_LISTEN);
}

TEST_ALONE(a_short_or_foreign_message_is_refused)
{
	struct {
		struct nlmsghdr head;
		char bytes[256];
	} message = { .head = { .nlmsg_len = sizeof(message), .nlmsg_type = 20 } };
	struct sockdiag_socket s;

	assert_int_equal(sockdiag_decode(&message.head, IPPROTO_TCP, &s), -EBADMSG);
	message.bytes[0] = AF_INET;
	assert_int_equal(sockdiag_decode(&message.head, IPPROTO_TCP, &s), 0);
	message.head.nlmsg_len = NLMSG_LENGTH(40);
	assert_int_equal(sockdiag_decode(&message.head, IPPROTO_TCP, &s), -EBADMSG);
	message.head.nlmsg_len = sizeof(message);
	message.head.nlmsg_type = NLMSG_ERROR;
	assert_int_equal(sockdiag_decode(&message.head, IPPROTO_TCP, &s), -EBADMSG);
}

/* --- through the inventory, without events: /proc finds the holder --- */

static struct inventory *new_inventory(void)
{
	struct kernel_source none = { 0 };
	struct inventory *inv;

	assert_int_equal(inventory_new(&none, &inv), 0);
	assert_int_equal(inventory_resync(inv, 1, NULL, NULL), 0);
	return inv;
}

static const struct socket_row *only_row(struct inventory *inv)
{
	const struct socket_row *row;

	assert_int_equal(inventory_by_port(inv, inventory_own_netns(inv), PORT, &row, 1), 1);
	return row;
}

TEST(resync_without_events_finds_the_holder_in_proc)
{
	_cleanup_close_ int fd = netns_bind(AF_INET, SOCK_STREAM, NULL, PORT, NETNS_LISTEN);
	_cleanup_(inventory_freep) struct inventory *inv = new_inventory();
	const struct socket_row *row = only_row(inv);

	assert_int_equal(row->inode, inode_of(fd));
	assert_int_equal(row->n_holders, 1);
	assert_int_equal(row->holders[0].id.pid, getpid());
	assert_int_equal(row->holders[0].fds[0], fd);
	assert_int_equal(row->binder.pid, getpid());
	assert_int_equal(row->binder_sid, getsid(0));
	assert_non_null(inventory_process(inv, &row->holders[0].id));
}

static void note_change(uint32_t netns, uint16_t port, void *user_data)
{
	if (port == PORT)
		++*(unsigned *)user_data;
}

TEST(resync_tells_which_ports_came_and_went)
{
	_cleanup_(inventory_freep) struct inventory *inv = new_inventory();
	int fd = netns_bind(AF_INET, SOCK_DGRAM, NULL, PORT, 0);
	unsigned changes = 0;

	assert_int_equal(inventory_resync(inv, 2, note_change, &changes), 0);
	assert_int_equal(changes, 1);
	assert_int_equal(only_row(inv)->state, SOCKET_BOUND);
	assert_int_equal(inventory_resync(inv, 3, note_change, &changes), 0);
	assert_int_equal(changes, 1);
	close(fd);
	assert_int_equal(inventory_resync(inv, 4, note_change, &changes), 0);
	assert_int_equal(changes, 2);
}

TEST(a_query_lists_time_wait_with_what_is_left)
{
	_cleanup_(inventory_freep) struct inventory *inv = new_inventory();
	_cleanup_free_ struct socket_row *rows = NULL;
	size_t n;

	make_time_wait(PORT + 8);
	assert_int_equal(inventory_query_port(inv, IPPROTO_TCP, PORT + 8, &rows, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(rows[0].state, SOCKET_TIME_WAIT);
	assert_in_range(rows[0].timer_ms, 1, 60000);
}

TEST(a_query_has_the_holders_of_the_table)
{
	_cleanup_close_ int fd = netns_bind(AF_INET6, SOCK_STREAM, "::", PORT, NETNS_LISTEN);
	_cleanup_(inventory_freep) struct inventory *inv = new_inventory();
	_cleanup_free_ struct socket_row *rows = NULL;
	size_t n;

	assert_int_equal(inventory_query_port(inv, IPPROTO_TCP, PORT, &rows, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(rows[0].n_holders, 1);
	assert_int_equal(rows[0].holders[0].fds[0], fd);
	assert_true(rows[0].v6only_known && !rows[0].v6only);
	assert_int_equal(inventory_query_port(inv, IPPROTO_ICMP, PORT, &rows, &n), -EINVAL);
}

/* Negative where the kernel has none. */
static int mptcp_listener(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, MPTCP);

	if (fd < 0)
		return fd;
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

TEST(an_mptcp_listener_is_one_row_with_its_holder)
{
	_cleanup_close_ int fd = mptcp_listener();
	_cleanup_(inventory_freep) struct inventory *inv = NULL;

	if (fd < 0)
		skip(); /* kernel without MPTCP */
	inv = new_inventory();
	assert_int_equal(only_row(inv)->n_holders, 1);
	assert_int_equal(only_row(inv)->holders[0].id.pid, getpid());
}

TEST(a_query_joins_an_mptcp_listener_by_inode)
{
	_cleanup_close_ int fd = mptcp_listener();
	struct event e = { .kind = EVENT_LISTEN,
			   .cookie = UINT64_MAX, /* the subflow has another one */
			   .protocol = MPTCP,
			   .family = AF_INET,
			   .port = PORT,
			   .actor = { getpid(), 1 } };
	struct kernel_source none = { 0 };
	_cleanup_(inventory_freep) struct inventory *inv = NULL;
	_cleanup_free_ struct socket_row *rows = NULL;
	bool settle;
	size_t n;

	if (fd < 0)
		skip(); /* kernel without MPTCP */
	assert_int_equal(inventory_new(&none, &inv), 0);
	e.inode = inode_of(fd);
	e.netns = inventory_own_netns(inv);
	assert_int_equal(inventory_apply(inv, &e, 1, NULL, NULL, &settle), 0);
	assert_int_equal(inventory_query_port(inv, IPPROTO_TCP, PORT, &rows, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(rows[0].protocol, MPTCP);
	assert_int_equal(rows[0].n_holders, 1);
}

EACH_TEST_IN_NETNS_MAIN(setup, teardown)
