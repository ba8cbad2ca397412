/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/procfs.h"
#include "base/quota.h"
#include "testing.h"
#include "tracker/prompts.h"
#include "unit/directory.h"

enum { ANNE = 1000, BERT = 1001, ROOT = 0 };

#define SHELLS_MAX 300

static char directory[DIRECTORY_SIZE];
static struct prompts *prompts;
static pid_t shells[SHELLS_MAX];
static size_t n_shells;

static int set_up(void **state)
{
	directory_make(directory);
	return prompts_new(directory, true, &prompts);
}

static void end_shells(void)
{
	while (n_shells) {
		kill(shells[--n_shells], SIGKILL);
		waitpid(shells[n_shells], NULL, 0);
	}
}

static int tear_down(void **state)
{
	end_shells();
	prompts_free(prompts);
	directory_remove(directory);
	return 0;
}

/* A process that lives until the test ends. */
static struct process_id shell(void)
{
	struct process_id id;
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			pause();
	assert_true(pid > 0 && n_shells < SHELLS_MAX);
	shells[n_shells++] = pid;
	assert_int_equal(procfs_identity(pid, &id), 0);
	return id;
}

/* The first line of a file; "" where there is none. */
static const char *line_of(const char *path)
{
	static char line[64];
	_cleanup_file_ FILE *f = fopen(path, "re");

	line[0] = '\0';
	if (f && fgets(line, sizeof(line), f))
		line[strcspn(line, "\n")] = '\0';
	return line;
}

static int files(void)
{
	char path[64];
	struct dirent *entry;
	DIR *dir;
	int n = 0;

	snprintf(path, sizeof(path), "%s/" PROMPTS_DIRECTORY_NAME, directory);
	dir = opendir(path);
	assert_non_null(dir);
	while ((entry = readdir(dir)))
		n += entry->d_name[0] != '.';
	closedir(dir);
	return n;
}

TEST(refusal_of_a_session_is_counted_in_its_file)
{
	struct process_id leader = shell(), other = shell();
	char path[PROMPTS_PATH_SIZE], of_other[PROMPTS_PATH_SIZE], again[PROMPTS_PATH_SIZE];

	assert_int_equal(prompts_file(prompts, &leader, ANNE, path), 0);
	assert_int_equal(prompts_file(prompts, &other, ANNE, of_other), 0);
	assert_string_equal(line_of(path), "0000000000000000000 0");
	prompts_note(prompts, leader.pid, ANNE, 4711);
	assert_string_equal(line_of(path), "0000000000000001 4711");
	prompts_note(prompts, leader.pid, ANNE, 12);
	assert_string_equal(line_of(path), "000000000000000002 12");
	assert_string_equal(line_of(of_other), "0000000000000000000 0");
	assert_int_equal(prompts_file(prompts, &leader, ANNE, again), 0);
	assert_string_equal(again, path);
}

TEST(what_others_do_in_a_session_is_not_told_but_to_root)
{
	struct process_id leader = shell(), root = shell();
	char path[PROMPTS_PATH_SIZE], of_root[PROMPTS_PATH_SIZE];

	assert_int_equal(prompts_file(prompts, &leader, ANNE, path), 0);
	assert_int_equal(prompts_file(prompts, &root, ROOT, of_root), 0);
	prompts_note(prompts, leader.pid, BERT, 4711);
	prompts_note(prompts, root.pid, BERT, 4711);
	assert_string_equal(line_of(path), "0000000000000000000 0");
	assert_string_equal(line_of(of_root), "0000000000000001 4711");
}

TEST(another_user_of_the_session_gets_a_file_of_a_new_name)
{
	struct process_id leader = shell();
	char path[PROMPTS_PATH_SIZE], next[PROMPTS_PATH_SIZE];

	assert_int_equal(prompts_file(prompts, &leader, ANNE, path), 0);
	assert_int_equal(prompts_file(prompts, &leader, BERT, next), 0);
	assert_string_not_equal(path, next);
	assert_int_not_equal(access(path, F_OK), 0);
	prompts_note(prompts, leader.pid, BERT, 5);
	assert_string_equal(line_of(next), "0000000000000000001 5");
}

TEST(session_of_a_reused_pid_is_not_the_one_that_asked)
{
	struct process_id leader = shell(), earlier = leader;
	char path[PROMPTS_PATH_SIZE];

	earlier.start_ticks--; /* another process that had this pid before */
	assert_int_equal(prompts_file(prompts, &earlier, ANNE, path), 0);
	prompts_note(prompts, leader.pid, ANNE, 4711);
	assert_int_not_equal(access(path, F_OK), 0);
}

TEST(next_daemon_goes_on_with_the_files_of_shells_that_run)
{
	struct process_id leader = shell(), gone = shell();
	char path[PROMPTS_PATH_SIZE], of_gone[PROMPTS_PATH_SIZE], bogus[PROMPTS_PATH_SIZE];

	assert_int_equal(prompts_file(prompts, &leader, ANNE, path), 0);
	assert_int_equal(prompts_file(prompts, &gone, ANNE, of_gone), 0);
	prompts_note(prompts, leader.pid, ANNE, 4711);
	kill(gone.pid, SIGKILL);
	waitpid(gone.pid, NULL, 0);
	n_shells--;
	snprintf(bogus, sizeof(bogus), "%s/" PROMPTS_DIRECTORY_NAME "/bogus", directory);
	assert_int_equal(symlink("/etc/passwd", bogus), 0);
	prompts_free(prompts);
	assert_int_equal(prompts_new(directory, true, &prompts), 0);
	assert_int_equal(files(), 1);
	prompts_note(prompts, leader.pid, ANNE, 4712);
	assert_string_equal(line_of(path), "0000000000000002 4712");
}

TEST(more_shells_than_a_user_may_have_are_refused_until_some_have_ended)
{
	uint64_t most = quota_limit(QUOTA_PROMPTS)->per_user;
	char path[PROMPTS_PATH_SIZE];
	struct process_id last;

	assert_true(most < SHELLS_MAX);
	for (uint64_t i = 0; i < most; i++) {
		struct process_id leader = shell();

		assert_int_equal(prompts_file(prompts, &leader, ANNE, path), 0);
	}
	last = shell();
	assert_int_equal(prompts_file(prompts, &last, ANNE, path), QUOTA_OVER_USER);
	assert_int_equal(prompts_file(prompts, &last, BERT, path), 0);
	end_shells();
	last = shell();
	assert_int_equal(prompts_file(prompts, &last, ANNE, path), 0);
	assert_int_equal(files(), 1);
}

TEST(nobody_lists_the_directory_and_whoever_knows_a_name_reads_the_file)
{
	struct process_id leader = shell();
	char path[PROMPTS_PATH_SIZE], place[64];
	struct stat st;

	assert_int_equal(prompts_file(prompts, &leader, ANNE, path), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	snprintf(place, sizeof(place), "%s/" PROMPTS_DIRECTORY_NAME, directory);
	assert_int_equal(stat(place, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0711);
}

EACH_TEST_MAIN(set_up, tear_down)
