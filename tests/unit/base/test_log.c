/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/log.h"
#include "testing.h"

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

TEST(the_journal_gets_priorities)
{
	char out[256];

	logged(LOG_LEVEL_WARNING, "careful", true, out, sizeof(out));
	assert_string_equal(out, "<4>careful\n");
}

TEST(a_redirected_stderr_gets_words_and_the_time)
{
	char out[256];

	logged(LOG_LEVEL_WARNING, "careful", false, out, sizeof(out));
	assert_int_equal(strlen(out), strlen("2024-02-28 02:47:23 warning: careful\n"));
	assert_string_equal(out + strlen("2024-02-28 02:47:23"), " warning: careful\n");
}

TEST(lines_above_the_level_are_dropped)
{
	char out[256];

	logged(LOG_LEVEL_DEBUG, "detail", true, out, sizeof(out));
	assert_string_equal(out, "");
	log_set_level(LOG_LEVEL_DEBUG);
	logged(LOG_LEVEL_DEBUG, "detail", true, out, sizeof(out));
	assert_string_equal(out, "<7>detail\n");
	log_set_level(LOG_LEVEL_INFO);
}

TEST(a_message_stays_one_line_however_hostile_or_long)
{
	char out[8192], longest[4096];

	logged(LOG_LEVEL_INFO, "a\n<3>forged\x1b[2J", true, out, sizeof(out));
	assert_string_equal(out, "<6>a\\n<3>forged\\e[2J\n");
	memset(longest, '\x01', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	logged(LOG_LEVEL_INFO, longest, false, out, sizeof(out));
	assert_ptr_equal(strchr(out, '\n'), out + strlen(out) - 1);
}

/* --- how much of it --- */

/* stderr in a file of its own, until log_end(). */
struct redirected {
	char name[32];
	int file, saved;
};

static struct redirected log_begin(int flags)
{
	struct redirected r = { .name = "/tmp/log-test-XXXXXX" };

	unsetenv("JOURNAL_STREAM");
	close(mkstemp(r.name));
	r.file = open(r.name, flags | O_CLOEXEC);
	r.saved = dup(STDERR_FILENO);
	assert_true(r.file >= 0 && r.saved >= 0);
	assert_true(dup2(r.file, STDERR_FILENO) >= 0);
	return r;
}

/* What is in it; owned by the caller. */
static char *log_end(struct redirected *r)
{
	_cleanup_close_ int reader = open(r->name, O_RDONLY | O_CLOEXEC);
	struct stat st;
	char *text;

	assert_true(dup2(r->saved, STDERR_FILENO) >= 0);
	log_bound_file("/nowhere");
	close(r->saved);
	close(r->file);
	assert_int_equal(fstat(reader, &st), 0);
	text = calloc(1, (size_t)st.st_size + 1);
	assert_non_null(text);
	assert_int_equal(read(reader, text, (size_t)st.st_size), st.st_size);
	unlink(r->name);
	return text;
}

static size_t count(const char *text, const char *part)
{
	size_t n = 0;

	while ((text = strstr(text, part)))
		n++, text++;
	return n;
}

TEST(burst_of_one_place_is_cut_and_counted_and_leaves_the_others_alone)
{
	struct redirected r = log_begin(O_RDWR | O_APPEND);
	_cleanup_free_ char *text = NULL;

	for (int i = 0; i < 1000; i++)
		log_warning("refused %d", i);
	log_warning("something else");
	log_say_left_out();
	log_say_left_out();
	text = log_end(&r);
	assert_int_equal(count(text, "refused"), LOG_SITE_LINES);
	assert_int_equal(count(text, "refused 0\n"), 1);
	assert_int_equal(count(text, "something else"), 1);
	assert_int_equal(count(text, "980 lines"), 1);
	_Static_assert(LOG_SITE_LINES == 20, "the 980 above");
}

TEST(debugging_gets_every_line)
{
	struct redirected r = log_begin(O_RDWR | O_APPEND);
	_cleanup_free_ char *text = NULL;

	log_set_level(LOG_LEVEL_DEBUG);
	for (int i = 0; i < 1000; i++)
		log_debug("detail %d", i);
	log_set_level(LOG_LEVEL_INFO);
	text = log_end(&r);
	assert_int_equal(count(text, "detail"), 1000);
}

static void log_lines(int n)
{
	for (int i = 0; i < n; i++)
		log_line(LOG_LEVEL_INFO, "line %d of %d, some sixty bytes long with the time", i,
			 n);
}

TEST(file_of_its_own_stays_bounded_and_keeps_whole_newest_lines)
{
	struct redirected r = log_begin(O_RDWR); /* a hole would show what O_APPEND is for */
	_cleanup_free_ char *text = NULL;

	log_bound_file(r.name);
	log_lines(20000);
	text = log_end(&r);
	assert_in_range(strlen(text), LOG_FILE_KEEP_BYTES / 2, LOG_FILE_MAX_BYTES);
	assert_non_null(strstr(text, "line 19999 of 20000"));
	assert_null(strstr(text, "line 0 of"));
	assert_int_equal(count(text, "older lines were dropped"), 1);
	/* each line is whole: as many times of day as ends */
	assert_int_equal(count(text, "\n"), count(text, "\n20") + 1);
}

TEST(file_that_cannot_be_read_is_bounded_too)
{
	struct redirected r = log_begin(O_WRONLY | O_APPEND);
	_cleanup_free_ char *text = NULL;

	log_bound_file(r.name);
	log_lines(20000);
	text = log_end(&r);
	assert_true(strlen(text) < LOG_FILE_MAX_BYTES);
	assert_non_null(strstr(text, "line 19999 of 20000"));
}

TEST(file_of_somebody_else_is_not_cut)
{
	struct redirected r = log_begin(O_RDWR | O_APPEND);
	_cleanup_free_ char *text = NULL;

	log_bound_file("/dev/null");
	log_lines(20000);
	text = log_end(&r);
	assert_true(strlen(text) > LOG_FILE_MAX_BYTES);
	assert_non_null(strstr(text, "line 0 of"));
}

TEST_MAIN(NULL, NULL)
