/* SPDX-License-Identifier: MIT */
/* May a port be handed out: free in the kernel, and not set aside by a sysctl. */
#include "base/reserved.h"
#include "inventory/inventory.h"
#include "testing.h"
#include "unit/inventory/netns.h"

#define PORT 3000

static int setup(void **state)
{
	struct kernel_source none = { 0 };

	return inventory_new(&none, (struct inventory **)state);
}

static int teardown(void **state)
{
	inventory_free(*state);
	return 0;
}

static bool is_free(struct inventory *inv)
{
	bool is;

	assert_int_equal(inventory_port_is_free(inv, PORT, &is), 0);
	return is;
}

TEST_WITH(an_unused_port_is_free, struct inventory *inv)
{
	assert_true(is_free(inv));
}

TEST_WITH(a_listener_takes_the_port_until_it_closes, struct inventory *inv)
{
	int fd = netns_bind(AF_INET, SOCK_STREAM, NULL, PORT, NETNS_LISTEN);

	assert_false(is_free(inv));
	close(fd);
	assert_true(is_free(inv));
}

TEST_WITH(any_family_and_protocol_takes_the_port, struct inventory *inv)
{
	static const int families[] = { AF_INET, AF_INET6 };
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM };

	for (size_t i = 0; i < 2; i++)
		for (size_t j = 0; j < 2; j++) {
			_cleanup_close_ int fd = netns_bind(families[i], types[j], NULL, PORT,
							    j == 0 ? NETNS_LISTEN : 0);

			assert_true(fd >= 0);
			assert_false(is_free(inv));
		}
}

TEST_WITH(a_bound_socket_takes_the_port, struct inventory *inv)
{
	_cleanup_close_ int fd = netns_bind(AF_INET, SOCK_STREAM, NULL, PORT, 0);
	struct event e = { .kind = EVENT_BIND, .cookie = 5, .protocol = IPPROTO_TCP, .port = PORT };
	bool settle;

	/* what the kernel side would report; kernels before 6.8 list it nowhere else */
	assert_true(fd >= 0);
	e.netns = inventory_own_netns(inv);
	e.family = AF_INET;
	assert_int_equal(inventory_apply(inv, &e, 1, NULL, NULL, &settle), 0);
	assert_false(is_free(inv));
}

TEST_WITH(a_connection_takes_the_port, struct inventory *inv)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(PORT + 1) };
	_cleanup_close_ int listener = netns_bind(AF_INET, SOCK_STREAM, NULL, PORT + 1,
						  NETNS_LISTEN);
	_cleanup_close_ int fd = netns_bind(AF_INET, SOCK_STREAM, NULL, PORT, 0);

	assert_true(listener >= 0);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	assert_false(is_free(inv));
}

static bool has_only_time_wait(struct inventory *inv)
{
	struct socket_row *rows;
	bool only = true;
	size_t n;

	assert_int_equal(inventory_query_port(inv, IPPROTO_TCP, PORT, &rows, &n), 0);
	for (size_t i = 0; i < n; i++)
		only &= rows[i].state == SOCKET_TIME_WAIT;
	free(rows);
	return only && n > 0;
}

TEST_WITH(time_wait_does_not_take_the_port, struct inventory *inv)
{
	assert_int_equal(netns_make_time_wait(PORT), 0);
	AWAIT(has_only_time_wait(inv));
	assert_true(is_free(inv));
}

static void write_sysctl(const char *name, const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv4/%s", name);
	file = fopen(path, "we");
	if (!file)
		skip(); /* a user namespace may not write it */
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

TEST_WITH(ports_set_aside_by_the_kernel_are_reserved, struct inventory *inv)
{
	write_sysctl("ip_local_reserved_ports", "3000,3100-3102");
	write_sysctl("ip_local_port_range", "40000 41000");
	assert_true(inventory_port_is_reserved(inv, 3000));
	assert_true(inventory_port_is_reserved(inv, 3101));
	assert_true(inventory_port_is_reserved(inv, 40500));
	assert_false(inventory_port_is_reserved(inv, 3001));
	assert_false(inventory_port_is_reserved(inv, 41001));
}

TEST_WITH(a_list_of_a_thousand_reserved_ports_is_read_to_its_end, struct inventory *inv)
{
	char list[8192];
	size_t used = 0;

	for (int port = 3001; port <= 5001; port += 2)
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%d,", port);
	list[used - 1] = '\0';
	write_sysctl("ip_local_port_range", "40000 41000");
	write_sysctl("ip_local_reserved_ports", list);
	assert_true(inventory_port_is_reserved(inv, 5001));
	assert_false(inventory_port_is_reserved(inv, 5000));
}

TEST_WITH(a_sysctl_that_changes_is_read_anew, struct inventory *inv)
{
	write_sysctl("ip_local_port_range", "40000 41000");
	write_sysctl("ip_local_reserved_ports", "3000");
	assert_true(inventory_port_is_reserved(inv, 3000));
	write_sysctl("ip_local_reserved_ports", "3001");
	inventory_refresh(inv);
	assert_false(inventory_port_is_reserved(inv, 3000));
	assert_true(inventory_port_is_reserved(inv, 3001));
}

TEST_ALONE(a_list_of_reserved_ports_is_read_whatever_it_holds)
{
	static const struct {
		const char *text;
		uint16_t port;
		bool reserved;
	} cases[] = {
		{ "", 80, false },
		{ "\n", 80, false },
		{ "80\n", 80, true },
		{ "80", 8, false },
		{ "8080,9148-9150\n", 9149, true },
		{ "8080,9148-9150\n", 9151, false },
		{ "9148-9150,80", 80, true },
		{ "80-", 80, false },
		{ "-80", 80, true },
		{ "x,80", 80, true },
		{ "90-80", 85, false },
		{ "1-65535", 65535, true },
		{ "99999999999999999999-3", 80, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(reserved_in_list(cases[i].text, cases[i].port), cases[i].reserved);
	assert_int_equal(reserved_of_range("80,3099-3101,9148-9999,20000\n", 3100, 9998), 853);
	assert_int_equal(reserved_of_range("1-65535\n", 1, 65535), 65535);
	assert_int_equal(reserved_of_range("3099,9999\n", 3100, 9998), 0);
}

TEST_ALONE(a_port_range_is_read_with_both_ends)
{
	assert_true(reserved_in_range("32768\t60999\n", 32768));
	assert_true(reserved_in_range("32768\t60999\n", 60999));
	assert_false(reserved_in_range("32768\t60999\n", 61000));
	assert_false(reserved_in_range("32768\n", 32768));
	assert_false(reserved_in_range("", 1));
}

EACH_TEST_IN_NETNS_MAIN(setup, teardown)
