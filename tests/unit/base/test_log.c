/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/log.h"

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
		cmocka_unit_test(the_journal_gets_priorities),
		cmocka_unit_test(a_redirected_stderr_gets_words_and_the_time),
		cmocka_unit_test(lines_above_the_level_are_dropped),
		cmocka_unit_test(a_message_stays_one_line_however_hostile_or_long),
	};

	return cmocka_run_group_tests_name("base/log", tests, NULL, NULL);
}
