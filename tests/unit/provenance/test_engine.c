/* SPDX-License-Identifier: MIT */
#include <netinet/in.h>
#include <sys/socket.h>

#include "provenance/engine.h"
#include "testing.h"

TEST(command_line_of_a_proxy_tells_the_container)
{
	struct engine_forward forward = { .engine = NULL };
	char addr[NET_ADDR_STR_SIZE];

	assert_true(engine_forward_parse("/usr/bin/docker-proxy -proto tcp -host-ip 0.0.0.0 "
					 "-host-port 3000 -container-ip 172.17.0.2 -container-port "
					 "80 -use-listen-fd",
					 &forward));
	assert_int_equal(forward.family, AF_INET);
	assert_string_equal(net_addr_format(forward.family, &forward.addr, addr), "172.17.0.2");
	assert_int_equal(forward.port, 80);
}

TEST(hostile_command_lines_tell_nothing)
{
	static const char *const lines[] = {
		"",
		"docker-proxy",
		"docker-proxy -container-ip",
		"docker-proxy -container-ip 172.17.0.2",
		"docker-proxy -container-ip 172.17.0.2 -container-port",
		"docker-proxy -container-ip 172.17.0.2 -container-port 0",
		"docker-proxy -container-ip 172.17.0.2 -container-port 65536",
		"docker-proxy -container-ip 172.17.0.2 -container-port 80x",
		"docker-proxy -container-ip \x1b[31m -container-port 80",
		"docker-proxy x-container-ip 172.17.0.2 x-container-port 80",
		("docker-proxy -container-ip 999999999999999999999999999999999999999999999999999 "
		 "-container-port 80"),
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		struct engine_forward forward = { .engine = NULL };

		if (engine_forward_parse(lines[i], &forward) || forward.port)
			fail_msg("\"%s\" was read", lines[i]);
	}
}

TEST_MAIN(NULL, NULL)
