/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/log.h"
#include "testing.h"

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

/* What a line looks like there, or in the journal; owned by the caller. */
static char *logged(enum log_level level, const char *text, bool as_journal)
{
	struct redirected r = log_begin(O_RDWR | O_APPEND);
	char stream[64];
	struct stat st;

	assert_int_equal(fstat(r.file, &st), 0);
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
		 (unsigned long long)st.st_ino + (as_journal ? 0 : 1));
	setenv("JOURNAL_STREAM", stream, 1);
	log_line(level, "%s", text);
	return log_end(&r);
}

static void assert_in_journal(enum log_level level, const char *text, const char *expected)
{
	_cleanup_free_ char *out = logged(level, text, true);

	assert_string_equal(out, expected);
}

TEST(the_journal_gets_priorities)
{
	assert_in_journal(LOG_LEVEL_WARNING, "careful", "<4>careful\n");
}

TEST(a_redirected_stderr_gets_words_and_the_time)
{
	_cleanup_free_ char *out = logged(LOG_LEVEL_WARNING, "careful", false);

	assert_int_equal(strlen(out), strlen("2024-02-28 02:47:23 warning: careful\n"));
	assert_string_equal(out + strlen("2024-02-28 02:47:23"), " warning: careful\n");
}

TEST(lines_above_the_level_are_dropped)
{
	assert_in_journal(LOG_LEVEL_DEBUG, "detail", "");
	log_set_level(LOG_LEVEL_DEBUG);
	assert_in_journal(LOG_LEVEL_DEBUG, "detail", "<7>detail\n");
	log_set_level(LOG_LEVEL_INFO);
}

TEST(a_message_stays_one_line_however_hostile_or_long)
{
	_cleanup_free_ char *out = NULL;
	char longest[4096];

	assert_in_journal(LOG_LEVEL_INFO, "a\n<3>forged\x1b[2J", "<6>a\\n<3>forged\\e[2J\n");
	memset(longest, '\x01', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	out = logged(LOG_LEVEL_INFO, longest, false);
	assert_ptr_equal(strchr(out, '\n'), out + strlen(out) - 1);
}

/* --- how much of it --- */

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

/* What is left of 20,000 lines in a file that was opened so; NULL: it is the one to be bounded. */
static char *log_much(int flags, const char *bounded)
{
	struct redirected r = log_begin(flags);

	log_bound_file(bounded ? bounded : r.name);
	for (int i = 0; i < 20000; i++)
		log_line(LOG_LEVEL_INFO, "line %d of 20000, some sixty bytes long with the time",
			 i);
	return log_end(&r);
}

TEST(file_of_its_own_stays_bounded_and_keeps_whole_newest_lines)
{
	/* a hole would show what O_APPEND is for */
	_cleanup_free_ char *text = log_much(O_RDWR, NULL);

	assert_in_range(strlen(text), LOG_FILE_KEEP_BYTES / 2, LOG_FILE_MAX_BYTES);
	assert_non_null(strstr(text, "line 19999 of 20000"));
	assert_null(strstr(text, "line 0 of"));
	assert_int_equal(count(text, "older lines were dropped"), 1);
	/* each line is whole: as many times of day as ends */
	assert_int_equal(count(text, "\n"), count(text, "\n20") + 1);
}

TEST(file_that_cannot_be_read_is_bounded_too)
{
	_cleanup_free_ char *text = log_much(O_WRONLY | O_APPEND, NULL);

	assert_true(strlen(text) < LOG_FILE_MAX_BYTES);
	assert_non_null(strstr(text, "line 19999 of 20000"));
}

TEST(file_of_somebody_else_is_not_cut)
{
	_cleanup_free_ char *text = log_much(O_RDWR | O_APPEND, "/dev/null");

	assert_true(strlen(text) > LOG_FILE_MAX_BYTES);
	assert_non_null(strstr(text, "line 0 of"));
}

TEST_MAIN(NULL, NULL)
