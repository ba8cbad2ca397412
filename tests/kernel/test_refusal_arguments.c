/* SPDX-License-Identifier: MIT */
/* The command line that a refusal carries as a hash, held against /proc of the same process. */
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "base/clock.h"
#include "bpf/abi.h"
#include "kernel/refusals.h"

#define REFUSED		"refused" /* names of a child's program */
#define HIDDEN		"hidden"
#define LONG_BYTES	(2 * ABI_ARGUMENTS_MAX)
#define ARGUMENTS_FIELD 48 /* of /proc/PID/stat: arg_start, and behind it arg_end */

static struct process_arguments arguments_of(const struct child *child)
{
	struct process_arguments arguments = { 0 };
	struct process_id id = identity(child->pid);

	assert_int_equal(procfs_arguments(&id, &arguments), 0);
	return arguments;
}

TEST_WITH(refusal_has_the_callers_command_line_as_proc_has_it, struct watcher *w)
{
	struct child child;
	const struct event *e = refusal_of(w, run_refused, &child);
	struct process_arguments proc = arguments_of(&child);

	assert_int_not_equal(proc.bytes, 0);
	assert_int_equal(e->arguments.bytes, proc.bytes);
	assert_int_equal(e->arguments.hash, proc.hash);
}

/* --- command lines of every length --- */

static const char *name, *argument; /* of the next child */

static int run_program(struct act *act)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	execl("/proc/self/exe", name, argument, (char *)NULL);
	return 127;
}

/* The arguments of its refusal; the child is there. */
static struct process_arguments start_program(struct watcher *w, struct child *ret,
					      const char *with)
{
	argument = with;
	*ret = start_child(run_program);
	return await_event(w, EVENT_FAIL, ret->pid)->arguments;
}

static void end_program(struct child *child)
{
	kill(child->pid, SIGKILL);
	end_child(child);
}

static struct process_arguments refused_with_argument(struct watcher *w, const char *text)
{
	struct child child;
	struct process_arguments then, proc;

	name = REFUSED;
	then = start_program(w, &child, text);
	proc = arguments_of(&child);
	end_program(&child);
	assert_int_equal(then.bytes, proc.bytes);
	assert_int_equal(then.hash, proc.hash);
	return then;
}

TEST_WITH(command_lines_of_any_length_agree_with_proc, struct watcher *w)
{
	char text[LONG_BYTES + 1];

	memset(text, 'x', sizeof(text));
	for (size_t n = 1; n <= LONG_BYTES; n += n < 200 ? 7 : 977) {
		size_t bytes = sizeof(REFUSED) + n + 1;

		text[n] = '\0';
		assert_int_equal(refused_with_argument(w, text).bytes,
				 bytes < ABI_ARGUMENTS_MAX ? bytes : ABI_ARGUMENTS_MAX);
		text[n] = 'x';
	}
}

TEST_WITH(command_lines_that_differ_are_told_apart, struct watcher *w)
{
	struct process_arguments one = refused_with_argument(w, "3000");
	struct process_arguments same = refused_with_argument(w, "3000");
	struct process_arguments other = refused_with_argument(w, "3001");

	assert_int_equal(one.bytes, other.bytes);
	assert_int_equal(one.hash, same.hash);
	assert_int_not_equal(one.hash, other.hash);
}

/* --- command lines that are not read --- */

static uintptr_t stat_field(int number)
{
	char line[1024], *p;

	if (procfs_read("/proc/self/stat", line, sizeof(line)) <= 0)
		_exit(124);
	p = strrchr(line, ')');
	for (int field = 2; field < number; field++)
		p = strchr(p + 1, ' ');
	return strtoull(p, NULL, 10);
}

/* Nobody may read the first page that has nothing but arguments. */
static int hide_arguments(void)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t first = (stat_field(ARGUMENTS_FIELD) + page - 1) & -page;

	return mprotect((void *)first, page, PROT_NONE) < 0 ? -errno : 0;
}

TEST_WITH(command_line_that_cannot_be_read_is_not_known, struct watcher *w)
{
	char text[LONG_BYTES + 1];
	struct process_arguments then;
	struct child child;

	if (sysconf(_SC_PAGESIZE) > ABI_ARGUMENTS_MAX)
		skip(); /* what is read may end before the first whole page does */
	memset(text, 'x', LONG_BYTES);
	text[LONG_BYTES] = '\0';
	name = HIDDEN;
	then = start_program(w, &child, text);
	end_program(&child);
	assert_int_equal(then.bytes, 0);
}

static void run_titled(struct told *told)
{
	*(char *)(stat_field(ARGUMENTS_FIELD + 1) - 1) = '!';
	run_refused(told);
}

TEST_WITH(title_that_ran_over_the_end_is_not_taken_for_a_command_line, struct watcher *w)
{
	assert_int_equal(refusal_of(w, run_titled, NULL)->arguments.bytes, 0);
}

static void run_bound_twice(struct told *told)
{
	int fd = open_bound(SOCK_STREAM, told);

	told->error = told->error ?: refused_with(bind_to(fd, told->port), EINVAL);
}

TEST_WITH(refusal_of_a_port_that_nobody_has_carries_none, struct watcher *w)
{
	const struct event *e = refusal_of(w, run_bound_twice, NULL);

	assert_int_equal(e->error, EINVAL);
	assert_int_equal(e->arguments.bytes, 0);
}

int main(int argc, char **argv)
{
	struct told told = { 0 };

	if (strcmp(argv[0], REFUSED) == 0 || strcmp(argv[0], HIDDEN) == 0) {
		if (argv[0][0] == HIDDEN[0] && hide_arguments())
			return 1;
		run_refused(&told);
		if (told.error)
			return 1;
		for (;;)
			pause();
	}
	set_up_each_test(forget_events, end_children);
	return cmocka_run_group_tests_name(__BASE_FILE__, tests, start_watching, stop_watching);
}
