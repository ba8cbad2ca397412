/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <limits.h>

#include "base/paths.h"
#include "testing.h"

#define NO_SUCH_UID ((uid_t)3999999999U)

static int clean_environment(void **state)
{
	unsetenv("PORT_DADDY_HOME");
	unsetenv("PORT_DADDY_SOCKET");
	unsetenv("SUDO_UID");
	setenv("HOME", "/home/somebody", 1);
	return 0;
}

TEST(state_is_in_the_callers_home)
{
	char path[PATH_MAX];

	assert_int_equal(paths_state_dir(false, getuid(), path, sizeof(path)), 0);
	assert_string_equal(path, "/home/somebody/.port-daddy");
}

TEST(state_of_another_user_ignores_the_callers_home)
{
	char path[PATH_MAX], home[PATH_MAX], expected[PATH_MAX + 16];
	uid_t other = getuid() == 1 ? 2 : 1; /* daemon and bin are everywhere */

	assert_int_equal(paths_home_of(other, home, sizeof(home)), 0);
	snprintf(expected, sizeof(expected), "%s/.port-daddy", home);
	assert_int_equal(paths_state_dir(false, other, path, sizeof(path)), 0);
	assert_string_equal(path, expected);
	assert_int_equal(paths_state_dir(false, NO_SUCH_UID, path, sizeof(path)), -ENOENT);
}

TEST(the_service_has_its_state_below_var)
{
	char path[PATH_MAX];

	assert_int_equal(paths_state_dir(true, getuid(), path, sizeof(path)), 0);
	assert_string_equal(path, "/var/lib/port-daddy");
}

TEST(a_given_state_directory_wins)
{
	char path[PATH_MAX];

	setenv("PORT_DADDY_HOME", "/srv/pd", 1);
	assert_int_equal(paths_state_dir(true, getuid(), path, sizeof(path)), 0);
	assert_string_equal(path, "/srv/pd");
	assert_int_equal(paths_state_dir(false, NO_SUCH_UID, path, sizeof(path)), 0);
	assert_string_equal(path, "/srv/pd");

	setenv("PORT_DADDY_HOME", "below", 1);
	assert_int_equal(paths_state_dir(false, getuid(), path, sizeof(path)), -EDOM);
	assert_non_null(strstr(paths_state_dir_strerror(-EDOM), "absolute"));

	setenv("PORT_DADDY_HOME", "", 1);
	assert_int_equal(paths_state_dir(false, getuid(), path, sizeof(path)), 0);
	assert_string_equal(path, "/home/somebody/.port-daddy");
}

TEST(a_daemon_listens_where_the_contract_says)
{
	char path[108];

	assert_int_equal(paths_listen_socket(false, "/s", path, sizeof(path)), 0);
	assert_string_equal(path, "/s/pd.sock");
	assert_int_equal(paths_listen_socket(true, "/s", path, sizeof(path)), 0);
	assert_string_equal(path, "/run/port-daddy/pd.sock");
	setenv("PORT_DADDY_HOME", "/s", 1);
	assert_int_equal(paths_listen_socket(true, "/s", path, sizeof(path)), 0);
	assert_string_equal(path, "/s/pd.sock");
	setenv("PORT_DADDY_SOCKET", "/x.sock", 1);
	assert_int_equal(paths_listen_socket(true, "/s", path, sizeof(path)), 0);
	assert_string_equal(path, "/x.sock");
}

TEST(a_socket_path_that_nobody_can_connect_to_is_refused)
{
	char state_dir[200], path[PATH_MAX], sockets[PATHS_SOCKETS_MAX][108];

	memset(state_dir, 'a', sizeof(state_dir));
	state_dir[0] = '/';
	state_dir[100] = '\0'; /* 100 + "/pd.sock" = 108 without its NUL */
	assert_int_equal(paths_listen_socket(false, state_dir, path, sizeof(path)), -ENAMETOOLONG);
	setenv("PORT_DADDY_HOME", state_dir, 1);
	assert_int_equal(paths_client_sockets(sockets, PATHS_SOCKETS_MAX), 0);
	state_dir[99] = '\0';
	assert_int_equal(paths_listen_socket(false, state_dir, path, sizeof(path)), 0);
	setenv("PORT_DADDY_HOME", state_dir, 1);
	assert_int_equal(paths_client_sockets(sockets, PATHS_SOCKETS_MAX), 1);
}

TEST(small_buffers_are_refused_not_overrun)
{
	char path[8] = "keep";

	assert_int_equal(paths_state_dir(true, 0, path, sizeof(path)), -ENAMETOOLONG);
	assert_int_equal(paths_state_dir(false, getuid(), path, sizeof(path)), -ENAMETOOLONG);
	assert_int_equal(paths_home_of(0, path, 2), -ENAMETOOLONG);
}

TEST(a_client_tries_the_service_then_its_own)
{
	char sockets[PATHS_SOCKETS_MAX][108];

	assert_int_equal(paths_client_sockets(sockets, PATHS_SOCKETS_MAX), 2);
	assert_string_equal(sockets[0], "/run/port-daddy/pd.sock");
	assert_string_equal(sockets[1], "/home/somebody/.port-daddy/pd.sock");
	assert_int_equal(paths_client_sockets(sockets, 1), 1);
	assert_int_equal(paths_client_sockets(sockets, 0), 0);
}

TEST(a_client_that_is_told_where_tries_nothing_else)
{
	char sockets[PATHS_SOCKETS_MAX][108];

	setenv("PORT_DADDY_HOME", "/s", 1);
	assert_int_equal(paths_client_sockets(sockets, PATHS_SOCKETS_MAX), 1);
	assert_string_equal(sockets[0], "/s/pd.sock");
	setenv("PORT_DADDY_SOCKET", "/x.sock", 1);
	assert_int_equal(paths_client_sockets(sockets, PATHS_SOCKETS_MAX), 1);
	assert_string_equal(sockets[0], "/x.sock");
}

TEST(a_client_under_sudo_tries_the_invoking_users_daemon_first)
{
	char sockets[PATHS_SOCKETS_MAX][108], home[108], expected[200];

	assert_int_equal(paths_home_of(1, home, sizeof(home)), 0);
	snprintf(expected, sizeof(expected), "%s/.port-daddy/pd.sock", home);
	setenv("SUDO_UID", "1", 1);
	if (getuid() != 0) {
		/* anybody can set the variable: it is believed when it came with root's rights */
		assert_int_equal(paths_client_sockets(sockets, PATHS_SOCKETS_MAX), 2);
		return;
	}
	assert_int_equal(paths_client_sockets(sockets, PATHS_SOCKETS_MAX), 3);
	assert_string_equal(sockets[1], expected);
	assert_string_equal(sockets[2], "/home/somebody/.port-daddy/pd.sock");
	setenv("SUDO_UID", "1x", 1);
	assert_int_equal(paths_client_sockets(sockets, PATHS_SOCKETS_MAX), 2);
	setenv("SUDO_UID", "-1", 1);
	assert_int_equal(paths_client_sockets(sockets, PATHS_SOCKETS_MAX), 2);
}

EACH_TEST_MAIN(clean_environment, NULL)
