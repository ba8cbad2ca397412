/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "base/procfs.h"
#include "testing.h"
#include "unit/directory.h"

#define DEADLINE_S 10

/* A child that did what it was told to and waits to be ended. */
struct child {
	pid_t pid;
	struct process_id id;
};

/* Forks; the child runs prepare(), says so through a pipe, and sleeps. */
static struct child child_start(void (*prepare)(void))
{
	struct child c;
	int ready[2];
	char byte;

	assert_int_equal(pipe(ready), 0);
	c.pid = fork();
	assert_true(c.pid >= 0);
	if (c.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (prepare)
			prepare();
		if (write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	assert_int_equal(procfs_identity(c.pid, &c.id), 0);
	return c;
}

static void child_end(struct child *c)
{
	kill(c->pid, SIGKILL);
	waitpid(c->pid, NULL, 0);
}

/* Waits until the process is in a state; false when it does not get there in time. */
static bool wait_for_state(const struct process_id *id, char state)
{
	time_t end = time(NULL) + DEADLINE_S;

	while (procfs_state(id) != state)
		if (time(NULL) > end)
			return false;
	return true;
}

TEST(a_process_describes_itself)
{
	struct process p;
	char cwd[PATH_MAX];

	assert_int_equal(procfs_describe(getpid(), &p), 0);
	assert_int_equal(p.id.pid, getpid());
	assert_true(p.id.start_ticks > 0);
	assert_int_equal(p.ppid, getppid());
	assert_int_equal(p.sid, getsid(0));
	assert_int_equal(p.uid, geteuid());
	assert_string_equal(p.comm, "test_procfs");
	assert_non_null(getcwd(cwd, sizeof(cwd)));
	assert_string_equal(p.cwd, cwd);
	assert_non_null(strstr(p.exe, "/test_procfs"));
	assert_true(p.n_ancestors >= 1);
	assert_int_equal(p.ancestors[0].id.pid, getppid());
	assert_int_equal(p.cgroup_id, 0);
}

TEST(a_child_has_its_parent_as_nearest_ancestor)
{
	struct child c = child_start(NULL);
	struct process_id self;
	struct process p;

	assert_int_equal(procfs_identity(getpid(), &self), 0);
	assert_int_equal(procfs_describe(c.pid, &p), 0);
	assert_true(process_id_equal(&p.ancestors[0].id, &self));
	assert_string_equal(p.ancestors[0].comm, "test_procfs");
	if (p.n_ancestors > 1)
		assert_int_equal(p.ancestors[1].id.pid, getppid());
	child_end(&c);
}

TEST(a_brief_description_agrees_with_the_full_one)
{
	struct child c = child_start(NULL);
	struct process full, brief;

	assert_int_equal(procfs_describe(c.pid, &full), 0);
	assert_int_equal(procfs_describe_briefly(c.pid, &brief), 0);
	assert_true(process_id_equal(&brief.id, &full.id));
	assert_int_equal(brief.ppid, full.ppid);
	assert_int_equal(brief.sid, full.sid);
	assert_string_equal(brief.comm, full.comm);
	assert_int_equal(brief.n_ancestors, 1);
	assert_memory_equal(&brief.ancestors[0], &full.ancestors[0], sizeof(full.ancestors[0]));
	assert_string_equal(brief.cwd, "");
	child_end(&c);
}

TEST(a_kept_description_follows_the_process)
{
	struct procfs_kept kept = { 0 };
	struct process p, brief;

	assert_int_equal(procfs_describe_kept(&kept, getpid(), &p), 0);
	assert_string_equal(p.comm, "test_procfs");
	assert_int_equal(prctl(PR_SET_NAME, "renamed"), 0);
	assert_int_equal(procfs_describe_kept(&kept, getpid(), &p), 0);
	assert_string_equal(p.comm, "renamed");
	assert_int_equal(procfs_describe_briefly(getpid(), &brief), 0);
	assert_memory_equal(&p, &brief, sizeof(p));
	assert_int_equal(prctl(PR_SET_NAME, "test_procfs"), 0);
	procfs_kept_deinit(&kept);
}

TEST(a_kept_description_of_a_process_that_ended_is_dropped)
{
	struct child first = child_start(NULL), second = child_start(NULL);
	struct procfs_kept kept = { 0 };
	struct process p;

	assert_int_equal(procfs_describe_kept(&kept, first.pid, &p), 0);
	child_end(&first);
	assert_int_equal(procfs_describe_kept(&kept, first.pid, &p), -ESRCH);
	assert_int_equal(kept.process.id.pid, 0);
	assert_int_equal(procfs_describe_kept(&kept, second.pid, &p), 0);
	assert_int_equal(p.id.pid, second.pid);
	child_end(&second);
	procfs_kept_deinit(&kept);
}

/* Leaves a grandchild behind, writes its number into the pipe, and ends when that is closed. */
static void leave_a_grandchild(const int to_test[2], const int to_child[2])
{
	pid_t pid;
	char byte;

	close(to_child[1]);
	pid = fork();
	if (pid == 0) {
		alarm(DEADLINE_S);
		pause();
		_exit(0);
	}
	if (write(to_test[1], &pid, sizeof(pid)) != sizeof(pid) || read(to_child[0], &byte, 1) != 0)
		_exit(1);
	_exit(0);
}

TEST(a_kept_description_has_the_parent_of_now)
{
	struct procfs_kept kept = { 0 };
	int to_test[2], to_child[2];
	struct process before, after;
	pid_t child, grandchild;

	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	assert_int_equal(pipe2(to_test, O_CLOEXEC) | pipe2(to_child, O_CLOEXEC), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		leave_a_grandchild(to_test, to_child);
	assert_int_equal(read(to_test[0], &grandchild, sizeof(grandchild)), sizeof(grandchild));
	assert_int_equal(procfs_describe_kept(&kept, grandchild, &before), 0);
	assert_int_equal(before.ancestors[0].id.pid, child);
	close(to_child[1]);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(procfs_describe_kept(&kept, grandchild, &after), 0);
	assert_int_equal(after.ancestors[0].id.pid, getpid());
	kill(grandchild, SIGKILL);
	assert_int_equal(waitpid(grandchild, NULL, 0), grandchild);
	procfs_kept_deinit(&kept);
	close(to_child[0]);
	close(to_test[0]);
	close(to_test[1]);
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
}

static void take_a_hostile_name(void)
{
	prctl(PR_SET_NAME, "x) Z 1 (y\n\\\x1b)");
}

TEST(a_hostile_name_does_not_shift_the_fields)
{
	struct child c = child_start(take_a_hostile_name);
	struct process p;

	assert_int_equal(procfs_describe(c.pid, &p), 0);
	assert_string_equal(p.comm, "x) Z 1 (y\n\\\x1b)");
	assert_int_equal(p.ppid, getpid());
	assert_int_equal(p.sid, getsid(0));
	assert_true(procfs_alive(&c.id));
	child_end(&c);
}

static void take_the_longest_name(void)
{
	prctl(PR_SET_NAME, "\\\n\\\n\\\n\\\n\\\n\\\n\\\n\\");
}

TEST(the_longest_name_is_read_whole)
{
	struct child c = child_start(take_the_longest_name);
	struct process p;

	assert_int_equal(procfs_describe(c.pid, &p), 0);
	assert_string_equal(p.comm, "\\\n\\\n\\\n\\\n\\\n\\\n\\\n\\");
	child_end(&c);
}

TEST(a_zombie_is_gone_and_says_nothing)
{
	struct child c = child_start(NULL);
	char line[64] = "unset";

	assert_true(procfs_alive(&c.id));
	kill(c.pid, SIGKILL);
	assert_true(wait_for_state(&c.id, 'Z'));
	assert_false(procfs_alive(&c.id));
	assert_int_equal(procfs_cmdline(&c.id, line, sizeof(line)), 0);
	assert_string_equal(line, "");
	waitpid(c.pid, NULL, 0);
	assert_int_equal(procfs_state(&c.id), 0);
	assert_false(procfs_alive(&c.id));
}

static void *sleep_on(void *unused)
{
	for (;;)
		pause();
	return NULL;
}

/* The main thread ends, another goes on: /proc shows a zombie that still holds its sockets. */
static void leave_the_main_thread(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, sleep_on, NULL);
}

TEST(a_process_whose_main_thread_ended_is_alive)
{
	struct process_id id;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		leave_the_main_thread();
		pthread_exit(NULL);
	}
	assert_int_equal(procfs_identity(pid, &id), 0);
	assert_true(wait_for_state(&id, 'Z'));
	assert_true(procfs_alive(&id));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_false(procfs_alive(&id));
}

TEST(a_reused_pid_is_not_the_process)
{
	struct process_id stranger;
	struct procfs_facts facts = { .cgroup = "/untouched" };
	char text[PROCFS_CMDLINE_SIZE] = "untouched";

	assert_int_equal(procfs_identity(getpid(), &stranger), 0);
	stranger.start_ticks--;
	assert_false(procfs_alive(&stranger));
	assert_int_equal(procfs_state(&stranger), 0);
	assert_int_equal(procfs_cmdline(&stranger, text, sizeof(text)), -ESRCH);
	assert_string_equal(text, "untouched");
	assert_int_equal(procfs_facts(&stranger, true, &facts), -ESRCH);
	assert_string_equal(facts.cgroup, "");
}

TEST(a_process_that_is_not_there_is_esrch)
{
	static const pid_t pids[] = { 0, -1, INT_MIN, INT_MAX };

	for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
		struct process_id id = { pids[i], 1 };
		struct process_arguments arguments;
		struct procfs_facts facts;
		struct process p;
		char text[64];

		assert_int_equal(procfs_identity(pids[i], &id), -ESRCH);
		assert_int_equal(procfs_describe(pids[i], &p), -ESRCH);
		assert_int_equal(procfs_cmdline(&id, text, sizeof(text)), -ESRCH);
		assert_int_equal(procfs_arguments(&id, &arguments), -ESRCH);
		assert_int_equal(procfs_facts(&id, false, &facts), -ESRCH);
		assert_false(procfs_alive(&id));
	}
}

static struct child start_sleep(const char *first, const char *second)
{
	struct child c = { .pid = fork() };

	assert_true(c.pid >= 0);
	if (c.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execlp("sleep", "sleep", first, second, (char *)NULL);
		_exit(127);
	}
	assert_int_equal(procfs_identity(c.pid, &c.id), 0);
	return c;
}

/* Of `sleep` with these arguments, once it runs. */
static struct process_arguments arguments_of_sleep(const char *first, const char *second)
{
	struct child c = start_sleep(first, second);
	struct process_arguments own, arguments = { 0 };
	time_t end = time(NULL) + DEADLINE_S;
	struct process_id self;

	assert_int_equal(procfs_identity(getpid(), &self), 0);
	assert_int_equal(procfs_arguments(&self, &own), 0);
	do /* until its exec: before, it has ours, and in between none */
		assert_int_equal(procfs_arguments(&c.id, &arguments), 0);
	while ((!arguments.bytes || arguments.hash == own.hash) && time(NULL) < end);
	child_end(&c);
	return arguments;
}

TEST(arguments_tell_command_lines_apart)
{
	struct process_arguments one = arguments_of_sleep("1000", "0");
	struct process_arguments same = arguments_of_sleep("1000", "0");
	struct process_arguments split_elsewhere = arguments_of_sleep("100", "00");
	char padded[PROCFS_CMDLINE_SIZE + 1000];
	struct process_arguments cut;

	snprintf(padded, sizeof(padded), "%0*d", (int)sizeof(padded) - 1, 1000);
	cut = arguments_of_sleep(padded, "0");
	assert_int_equal(one.bytes, sizeof("sleep") + sizeof("1000") + sizeof("0"));
	assert_int_equal(one.bytes, same.bytes);
	assert_int_equal(one.hash, same.hash);
	assert_int_equal(one.bytes, split_elsewhere.bytes);
	assert_int_not_equal(one.hash, split_elsewhere.hash);
	assert_int_equal(cut.bytes, PROCFS_CMDLINE_SIZE);
}

TEST(a_command_line_is_joined_with_spaces_and_cut)
{
	struct child c = start_sleep("1000", "0");
	time_t end = time(NULL) + DEADLINE_S;
	char line[64] = "";

	while (strcmp(line, "sleep 1000 0") != 0 && time(NULL) < end)
		assert_int_equal(procfs_cmdline(&c.id, line, sizeof(line)), 0);
	assert_string_equal(line, "sleep 1000 0");
	assert_int_equal(procfs_argv(&c.id, line, sizeof(line)), sizeof("sleep\0001000\0000"));
	assert_memory_equal(line, "sleep\0001000\0000\0", sizeof("sleep\0001000\0000\0"));
	assert_int_equal(procfs_argv(&c.id, line, 8), 6);
	assert_memory_equal(line, "sleep\0", 7);
	assert_int_equal(procfs_cmdline(&c.id, line, 6), 0);
	assert_string_equal(line, "sleep");
	assert_int_equal(procfs_cmdline(&c.id, line, 1), 0);
	assert_string_equal(line, "");
	child_end(&c);
}

/* Forks down; the innermost looks at itself.  Exit status 0 = as it should be. */
static void chain_deeper(int depth)
{
	struct process p;
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid > 0) {
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		return;
	}
	while (--depth > 0) {
		pid = fork();
		if (pid < 0)
			_exit(2);
		if (pid > 0)
			_exit(waitpid(pid, &status, 0) == pid ? WEXITSTATUS(status) : 3);
	}
	if (procfs_describe(getpid(), &p) != 0 || p.n_ancestors != PROCESS_ANCESTORS_MAX)
		_exit(4);
	_exit(p.ancestors[0].id.pid == getppid() ? 0 : 5);
}

TEST(ancestors_end_at_their_limit)
{
	chain_deeper(PROCESS_ANCESTORS_MAX + 3);
}

static void enter_a_deep_directory(void)
{
	char name[101];

	memset(name, 'd', 98);
	strcpy(name + 98, "\xC3\xA9"); /* so that some cut would fall into a character */
	for (int i = 0; i < 7; i++)
		if (mkdir(name, 0700) != 0 || chdir(name) != 0)
			_exit(1);
}

TEST(a_long_directory_keeps_its_end)
{
	char top[DIRECTORY_SIZE];
	struct child c;
	struct process p;

	directory_make(top);
	assert_int_equal(chdir(top), 0);
	c = child_start(enter_a_deep_directory);
	assert_int_equal(procfs_describe(c.pid, &p), 0);
	assert_int_equal(strncmp(p.cwd, "\xE2\x80\xA6", 3), 0);
	assert_in_range(strlen(p.cwd), PROCESS_PATH_SIZE - 4, PROCESS_PATH_SIZE - 1);
	assert_int_not_equal(p.cwd[3] & 0xC0, 0x80);
	assert_string_equal(p.cwd + strlen(p.cwd) - 3, "d\xC3\xA9");
	child_end(&c);
	assert_int_equal(chdir("/"), 0);
	directory_remove(top);
}

TEST(start_time_is_near_now_for_a_new_process)
{
	time_t before = time(NULL);
	struct child c = child_start(NULL);
	int64_t started = procfs_start_unix(&c.id);

	/* a tick may round it down into the second before */
	assert_in_range(started, before - 1, time(NULL));
	child_end(&c);
}

TEST(a_process_has_a_cgroup_where_there_are_cgroups)
{
	struct procfs_facts facts;
	struct process_id id;
	bool has_cgroups = access("/proc/self/cgroup", R_OK) == 0;

	assert_int_equal(procfs_identity(getpid(), &id), 0);
	assert_int_equal(procfs_facts(&id, false, &facts), 0);
	assert_int_equal(facts.cgroup[0], has_cgroups ? '/' : '\0');
}

TEST(facts_are_what_each_alone_would_be)
{
	struct procfs_facts facts;
	char cmdline[PROCFS_CMDLINE_SIZE];
	struct process_id id;

	assert_int_equal(procfs_identity(getpid(), &id), 0);
	assert_int_equal(procfs_cmdline(&id, cmdline, sizeof(cmdline)), 0);
	assert_int_equal(procfs_facts(&id, true, &facts), 0);
	assert_string_equal(facts.cmdline, cmdline);
	assert_int_equal(facts.state, 'R');
	assert_int_equal(procfs_facts(&id, false, &facts), 0);
	assert_string_equal(facts.cmdline, "");
}

TEST(a_reused_pid_has_no_facts)
{
	struct procfs_facts facts;
	struct process_id stranger;

	assert_int_equal(procfs_identity(getpid(), &stranger), 0);
	stranger.start_ticks--;
	assert_int_equal(procfs_facts(&stranger, true, &facts), -ESRCH);
	assert_string_equal(facts.cmdline, "");
	assert_string_equal(facts.cgroup, "");
	assert_int_equal(facts.state, 0);
}

TEST(the_boot_has_one_id)
{
	assert_int_equal(strlen(procfs_boot_id()), 36);
	assert_null(strchr(procfs_boot_id(), '\n'));
	assert_ptr_equal(procfs_boot_id(), procfs_boot_id());
}

static void leave_the_terminal(void)
{
	setsid();
}

static int terminal = -1;

static void take_the_terminal(void)
{
	setsid();
	if (ioctl(terminal, TIOCSCTTY, 0))
		_exit(1);
}

TEST(a_terminal_has_its_name_and_none_has_none)
{
	int pty = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	char expected[64], tty[PROCFS_TTY_SIZE] = "?";
	struct child with, without = child_start(leave_the_terminal);

	assert_true(pty >= 0);
	assert_int_equal(grantpt(pty) || unlockpt(pty), 0);
	assert_int_equal(ptsname_r(pty, expected, sizeof(expected)), 0);
	terminal = open(expected, O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(terminal >= 0);
	with = child_start(take_the_terminal);
	assert_int_equal(procfs_tty(&with.id, tty, sizeof(tty)), 0);
	assert_string_equal(tty, expected + strlen("/dev/"));
	assert_int_equal(procfs_tty(&without.id, tty, sizeof(tty)), 0);
	assert_string_equal(tty, "");
	with.id.start_ticks++;
	assert_int_equal(procfs_tty(&with.id, tty, sizeof(tty)), -ESRCH);
	child_end(&with);
	child_end(&without);
	close(terminal);
	close(pty);
}

TEST(a_small_file_is_read_as_text)
{
	char text[64], cut[5];
	ssize_t n = procfs_read_of(getpid(), "comm", text, sizeof(text));

	assert_int_equal(n, strlen(text));
	assert_int_equal(text[strlen(text) - 1], '\n');
	assert_int_equal(procfs_read("/proc/self/status", cut, sizeof(cut)), 4);
	assert_string_equal(cut, "Name");
}

TEST(a_file_that_cannot_be_read_is_no_text)
{
	char text[8] = "before";

	assert_int_equal(procfs_read("/proc/self/nothing", text, sizeof(text)), -ENOENT);
	assert_string_equal(text, "");
	strcpy(text, "before");
	assert_int_equal(procfs_read("/proc/self", text, sizeof(text)), -EISDIR);
	assert_string_equal(text, "");
	assert_int_equal(procfs_read_of(INT_MAX, "stat", text, sizeof(text)), -ESRCH);
}

TEST_MAIN(NULL, NULL)
