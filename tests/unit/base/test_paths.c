/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/paths.h"

#define NO_SUCH_UID ((uid_t)3999999999U)

static int clean_environment(void **state)
{
	unsetenv("PORT_DADDY_HOME");
	unsetenv("PORT_DADDY_SOCKET");
	unsetenv("SUDO_UID");
	setenv("HOME", "/home/somebody", 1);
	return 0;
}

static void state_is_in_the_callers_home(void **state)
{
	char path[PATH_MAX];

	assert_int_equal(paths_state_dir(false, getuid(), path, sizeof(path)), 0);
	assert_string_equal(path, "/home/somebody/.port-daddy");
}

static void state_of_another_user_ignores_the_callers_home(void **state)
{
	char path[PATH_MAX], home[PATH_MAX], expected[PATH_MAX + 16];
	uid_t other = getuid() == 1 ? 2 : 1; /* daemon and bin are everywhere */

	assert_int_equal(paths_home_of(other, home, sizeof(home)), 0);
	snprintf(expected, sizeof(expected), "%s/.port-daddy", home);
	assert_int_equal(paths_state_dir(false, other, path, sizeof(path)), 0);
	assert_string_equal(path, expected);
	assert_int_equal(paths_state_dir(false, NO_SUCH_UID, path, sizeof(path)), -ENOENT);
}

static void the_service_has_its_state_below_var(void **state)
{
	char path[PATH_MAX];

	assert_int_equal(paths_state_dir(true, getuid(), path, sizeof(path)), 0);
	assert_string_equal(path, "/var/lib/port-daddy");
}

static void a_given_state_directory_wins(void **state)
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

static void a_daemon_listens_where_the_contract_says(void **state)
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

static void a_socket_path_that_nobody_can_connect_to_is_refused(void **state)
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

static void small_buffers_are_refused_not_overrun(void **state)
{
	char path[8] = "keep";

	assert_int_equal(paths_state_dir(true, 0, path, sizeof(path)), -ENAMETOOLONG);
	assert_int_equal(paths_state_dir(false, getuid(), path, sizeof(path)), -ENAMETOOLONG);
	assert_int_equal(paths_home_of(0, path, 2), -ENAMETOOLONG);
}

static void a_client_tries_the_service_then_its_own(void **state)
{
	char sockets[PATHS_SOCKETS_MAX][108];

	assert_int_equal(paths_client_sockets(sockets, PATHS_SOCKETS_MAX), 2);
	assert_string_equal(sockets[0], "/run/port-daddy/pd.sock");
	assert_string_equal(sockets[1], "/home/somebody/.port-daddy/pd.sock");
	assert_int_equal(paths_client_sockets(sockets, 1), 1);
	assert_int_equal(paths_client_sockets(sockets, 0), 0);
}

static void a_client_that_is_told_where_tries_nothing_else(void **state)
{
	char sockets[PATHS_SOCKETS_MAX][108];

	setenv("PORT_DADDY_HOME", "/s", 1);
	assert_int_equal(paths_client_sockets(sockets, PATHS_SOCKETS_MAX), 1);
	assert_string_equal(sockets[0], "/s/pd.sock");
	setenv("PORT_DADDY_SOCKET", "/x.sock", 1);
	assert_int_equal(paths_client_sockets(sockets, PATHS_SOCKETS_MAX), 1);
	assert_string_equal(sockets[0], "/x.sock");
}

static void a_client_under_sudo_tries_the_invoking_users_daemon_first(void **state)
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(state_is_in_the_callers_home, clean_environment),
		cmocka_unit_test_setup(state_of_another_user_ignores_the_callers_home,
				       clean_environment),
		cmocka_unit_test_setup(the_service_has_its_state_below_var, clean_environment),
		cmocka_unit_test_setup(a_given_state_directory_wins, clean_environment),
		cmocka_unit_test_setup(a_daemon_listens_where_the_contract_says, clean_environment),
		cmocka_unit_test_setup(a_socket_path_that_nobody_can_connect_to_is_refused,
				       clean_environment),
		cmocka_unit_test_setup(small_buffers_are_refused_not_overrun, clean_environment),
		cmocka_unit_test_setup(a_client_tries_the_service_then_its_own, clean_environment),
		cmocka_unit_test_setup(a_client_that_is_told_where_tries_nothing_else,
				       clean_environment),
		cmocka_unit_test_setup(a_client_under_sudo_tries_the_invoking_users_daemon_first,
				       clean_environment),
	};

	return cmocka_run_group_tests_name("base/paths", tests, NULL, NULL);
}
