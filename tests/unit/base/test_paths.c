/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/paths.h"

#define NO_SUCH_UID ((uid_t)3999999999U)

static int clean_environment(void **state)
{
	unsetenv("PORT_DADDY_HOME");
	unsetenv("PORT_DADDY_SOCKET");
	unsetenv("SUDO_UID");
	unsetenv("JOURNAL_STREAM");
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
	char path[PATH_MAX], cwd[PATH_MAX], expected[2 * PATH_MAX];

	setenv("PORT_DADDY_HOME", "/srv/pd", 1);
	assert_int_equal(paths_state_dir(true, getuid(), path, sizeof(path)), 0);
	assert_string_equal(path, "/srv/pd");
	assert_int_equal(paths_state_dir(false, NO_SUCH_UID, path, sizeof(path)), 0);
	assert_string_equal(path, "/srv/pd");

	setenv("PORT_DADDY_HOME", "below", 1);
	assert_non_null(getcwd(cwd, sizeof(cwd)));
	snprintf(expected, sizeof(expected), "%s/below", cwd);
	assert_int_equal(paths_state_dir(false, getuid(), path, sizeof(path)), 0);
	assert_string_equal(path, expected);

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

	if (getuid() != 0) {
		print_message("# only root is believed about SUDO_UID\n");
		skip();
	}
	assert_int_equal(paths_home_of(1, home, sizeof(home)), 0);
	snprintf(expected, sizeof(expected), "%s/.port-daddy/pd.sock", home);
	setenv("SUDO_UID", "1", 1);
	assert_int_equal(paths_client_sockets(sockets, PATHS_SOCKETS_MAX), 3);
	assert_string_equal(sockets[1], expected);
	assert_string_equal(sockets[2], "/home/somebody/.port-daddy/pd.sock");
	setenv("SUDO_UID", "1x", 1);
	assert_int_equal(paths_client_sockets(sockets, PATHS_SOCKETS_MAX), 2);
	setenv("SUDO_UID", "-1", 1);
	assert_int_equal(paths_client_sockets(sockets, PATHS_SOCKETS_MAX), 2);
}

/* Runs log_line() with stderr in a file; what was written is in ret. */
static void logged(enum log_level level, const char *text, bool as_journal, char *ret, size_t size)
{
	char name[] = "/tmp/log-test-XXXXXX", stream[64];
	_cleanup_close_ int file = mkstemp(name), saved = dup(STDERR_FILENO);
	struct stat st;
	ssize_t n;

	assert_true(file >= 0 && saved >= 0);
	unlink(name);
	assert_int_equal(fstat(file, &st), 0);
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
		 (unsigned long long)st.st_ino + (as_journal ? 0 : 1));
	setenv("JOURNAL_STREAM", stream, 1);
	assert_true(dup2(file, STDERR_FILENO) >= 0);
	log_line(level, "%s", text);
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	n = pread(file, ret, size - 1, 0);
	assert_true(n >= 0);
	ret[n] = '\0';
}

static void the_journal_gets_priorities(void **state)
{
	char out[256];

	logged(LOG_LEVEL_WARNING, "careful", true, out, sizeof(out));
	assert_string_equal(out, "<4>careful\n");
}

static void a_redirected_stderr_gets_words_and_the_time(void **state)
{
	char out[256];

	logged(LOG_LEVEL_WARNING, "careful", false, out, sizeof(out));
	assert_int_equal(strlen(out), strlen("2024-02-28 02:47:23 warning: careful\n"));
	assert_string_equal(out + strlen("2024-02-28 02:47:23"), " warning: careful\n");
}

static void lines_above_the_level_are_dropped(void **state)
{
	char out[256];

	logged(LOG_LEVEL_DEBUG, "detail", true, out, sizeof(out));
	assert_string_equal(out, "");
	log_set_level(LOG_LEVEL_DEBUG);
	logged(LOG_LEVEL_DEBUG, "detail", true, out, sizeof(out));
	assert_string_equal(out, "<7>detail\n");
	log_set_level(LOG_LEVEL_INFO);
}

static void a_message_stays_one_line_however_hostile_or_long(void **state)
{
	char out[8192], longest[4096];

	logged(LOG_LEVEL_INFO, "a\n<3>forged\x1b[2J", true, out, sizeof(out));
	assert_string_equal(out, "<6>a\\n<3>forged\\e[2J\n");
	memset(longest, '\x01', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	logged(LOG_LEVEL_INFO, longest, false, out, sizeof(out));
	assert_ptr_equal(strchr(out, '\n'), out + strlen(out) - 1);
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
		cmocka_unit_test_setup(the_journal_gets_priorities, clean_environment),
		cmocka_unit_test_setup(a_redirected_stderr_gets_words_and_the_time,
				       clean_environment),
		cmocka_unit_test_setup(lines_above_the_level_are_dropped, clean_environment),
		cmocka_unit_test_setup(a_message_stays_one_line_however_hostile_or_long,
				       clean_environment),
	};

	return cmocka_run_group_tests_name("base/paths and log", tests, NULL, NULL);
}
