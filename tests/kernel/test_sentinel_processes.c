/* SPDX-License-Identifier: MIT */
/* What the sentinel tells of processes: who they are, what they hold, how they end. */
#include <pthread.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/procfs.h"
#include "kernel/actors.h"

#define LOOP_BINDS 50

/* --- descriptions --- */

static void run_bind_loop(struct told *told)
{
	for (int i = 0; i < LOOP_BINDS; i++)
		close(open_bound(SOCK_DGRAM, told));
}

TEST_WITH(process_is_described_before_its_first_event_and_not_again, struct watcher *w)
{
	struct child child = start_and_hear_well(run_bind_loop);
	const struct event *e;

	e = await_event(w, EVENT_PROCESS, child.pid);
	for (const struct event *before = w->events; before < e; before++)
		assert_int_not_equal(before->actor.pid, child.pid);
	await_events(w, EVENT_CLOSE, child.pid, LOOP_BINDS);
	assert_int_equal(count_events(w, EVENT_PROCESS, child.pid), 1);
}

TEST_WITH(description_agrees_with_proc, struct watcher *w)
{
	struct child child = start_and_hear_well(run_bind_loop);
	const struct process *p;
	struct process proc;

	assert_int_equal(procfs_describe(child.pid, &proc), 0);
	p = &await_event(w, EVENT_PROCESS, child.pid)->process;
	assert_true(process_id_equal(&p->id, &proc.id));
	assert_int_equal(p->uid, proc.uid);
	assert_int_equal(p->ppid, proc.ppid);
	assert_int_equal(p->sid, proc.sid);
	assert_string_equal(p->comm, proc.comm);
	assert_string_equal(p->exe, proc.exe);
	assert_string_equal(p->cwd, proc.cwd);
	assert_int_equal(p->n_ancestors, proc.n_ancestors);
	for (int i = 0; i < p->n_ancestors; i++) {
		assert_true(process_id_equal(&p->ancestors[i].id, &proc.ancestors[i].id));
		assert_string_equal(p->ancestors[i].comm, proc.ancestors[i].comm);
	}
}

static void run_change_directory(struct told *told)
{
	open_bound(SOCK_DGRAM, told);
	told->error = chdir("/usr") < 0 ? -errno : told->error;
	open_bound(SOCK_DGRAM, told);
}

TEST_WITH(process_is_described_again_when_its_directory_changed, struct watcher *w)
{
	struct child child = start_and_hear_well(run_change_directory);
	await_events(w, EVENT_BIND, child.pid, 2);
	assert_int_equal(count_events(w, EVENT_PROCESS, child.pid), 2);
	assert_string_equal(await_events(w, EVENT_PROCESS, child.pid, 2)->process.cwd, "/usr");
}

/* Goes down `depth` new directories of `length` letters each below a new one. */
static int descend(char *top, int depth, int length)
{
	char name[256];

	memset(name, 'd', sizeof(name));
	name[length] = '\0';
	if (!mkdtemp(top) || chdir(top) < 0)
		return -errno;
	for (int i = 0; i < depth; i++)
		if (mkdir(name, 0700) < 0 || chdir(name) < 0)
			return -errno;
	return 0;
}

static int ascend_and_remove(const char *top, int depth, int length)
{
	char name[256];

	memset(name, 'd', sizeof(name));
	name[length] = '\0';
	for (int i = 0; i < depth; i++)
		if (chdir("..") < 0 || rmdir(name) < 0)
			return -errno;
	return rmdir(top) < 0 ? -errno : 0;
}

static void run_in_deep_directory(struct told *told, int depth, int length)
{
	char top[] = "/tmp/pd-deep-XXXXXX";

	told->error = descend(top, depth, length);
	if (told->error == 0)
		open_bound(SOCK_DGRAM, told);
	told->error = told->error ?: ascend_and_remove(top, depth, length);
}

static void run_at_length_limit(struct told *told)
{
	run_in_deep_directory(told, 2, 200);
}

static void run_beyond_length_limit(struct told *told)
{
	run_in_deep_directory(told, 4, 200);
}

static void run_beyond_depth_limit(struct told *told)
{
	run_in_deep_directory(told, 40, 1);
}

TEST_WITH(long_directory_is_told_whole, struct watcher *w)
{
	struct child child = start_and_hear_well(run_at_length_limit);
	const char *cwd;

	cwd = await_event(w, EVENT_PROCESS, child.pid)->process.cwd;
	assert_memory_equal(cwd, "/tmp/pd-deep-", 13);
	assert_int_equal(strlen(cwd), strlen("/tmp/pd-deep-XXXXXX") + 2 * 201);
}

TEST_WITH(directory_beyond_the_limits_keeps_its_end, struct watcher *w)
{
	void (*const runs[])(struct told *) = { run_beyond_length_limit, run_beyond_depth_limit };

	for (size_t i = 0; i < ARRAY_SIZE(runs); i++) {
		struct child child = start_and_hear_well(runs[i]);
		const char *cwd;

		cwd = await_event(w, EVENT_PROCESS, child.pid)->process.cwd;
		assert_memory_equal(cwd, "\xe2\x80\xa6/d", 5);
		assert_int_equal(cwd[strlen(cwd) - 1], 'd');
		end_child(&child);
	}
}

static void run_below_a_mount(struct told *told)
{
	char top[] = "/tmp/pd-mount-XXXXXX";

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    !mkdtemp(top) || mount("none", top, "tmpfs", 0, NULL) < 0 || chdir(top) < 0 ||
	    mkdir("inner", 0700) < 0 || chdir("inner") < 0)
		told->error = -errno;
	open_bound(SOCK_DGRAM, told);
	if (told->error == 0 && (chdir("/") < 0 || umount2(top, MNT_DETACH) < 0 || rmdir(top) < 0))
		told->error = -errno;
}

TEST_WITH(directory_is_told_across_mount_points, struct watcher *w)
{
	struct child child = start_and_hear_well(run_below_a_mount);
	const char *cwd;

	cwd = await_event(w, EVENT_PROCESS, child.pid)->process.cwd;
	assert_memory_equal(cwd, "/tmp/pd-mount-", 14);
	assert_string_equal(cwd + strlen("/tmp/pd-mount-XXXXXX"), "/inner");
}

static void run_in_chroot(struct told *told)
{
	if (chroot("/usr") < 0 || chdir("/bin") < 0)
		told->error = -errno;
	open_bound(SOCK_DGRAM, told);
}

TEST_WITH(directory_is_told_as_the_process_sees_it, struct watcher *w)
{
	struct child child = start_and_hear_well(run_in_chroot);
	assert_string_equal(await_event(w, EVENT_PROCESS, child.pid)->process.cwd, "/bin");
}

/* The child's child binds, twice; between, the child ends. */
static int run_orphan(struct act *act)
{
	pid_t parent = getpid(), child = fork();
	struct told told = { .pid = getpid() };

	if (child > 0) {
		act_await(act);
		return 0;
	}
	open_bound(SOCK_DGRAM, &told);
	act_tell(act, &told);
	for (int64_t end = now_ms() + WAIT_MS; getppid() == parent && now_ms() < end;)
		poll(NULL, 0, 1);
	open_bound(SOCK_DGRAM, &told);
	return act_stay(act, &told);
}

TEST_WITH(ancestors_survive_the_end_of_the_parent, struct watcher *w)
{
	struct child child = start_child(run_orphan);
	struct told told = hear_well(&child);
	const struct event *e;

	step(&child);
	assert_int_equal(waitpid(child.pid, NULL, 0), child.pid);
	e = await_event(w, EVENT_PROCESS, told.pid);
	assert_int_equal(e->process.ppid, child.pid);
	assert_int_equal(e->process.ancestors[0].id.pid, child.pid);
	assert_int_equal(e->process.ancestors[1].id.pid, getpid());
	hear_well(&child);
	await_events(w, EVENT_BIND, told.pid, 2);
	e = await_events(w, EVENT_PROCESS, told.pid, 2);
	assert_int_not_equal(e->process.ppid, child.pid);
}

/* --- life and death of holders --- */

static int run_exit_with_code(struct act *act)
{
	struct told told = { 0 };

	open_bound(SOCK_DGRAM, &told);
	act_tell_and_await(act, &told);
	return 7;
}

TEST_WITH(end_of_a_holder_carries_its_exit_code, struct watcher *w)
{
	struct child child = start_child(run_exit_with_code);

	hear_well(&child);
	step(&child);
	assert_int_equal(await_event(w, EVENT_EXIT, child.pid)->exit_code, 7 << 8);
	assert_int_equal(end_child(&child), 7 << 8);
}

static void run_deaf(struct told *told)
{
	signal(SIGTERM, SIG_IGN);
	signal(SIGUSR1, SIG_IGN);
	open_bound(SOCK_DGRAM, told);
}

/* Also of one that ignores it. */
TEST_WITH(sigterm_to_a_holder_is_told_and_no_other_signal, struct watcher *w)
{
	struct child child = start_and_hear_well(run_deaf);
	assert_int_equal(kill(child.pid, SIGUSR1), 0);
	assert_int_equal(kill(child.pid, SIGTERM), 0);
	step(&child);
	await_event(w, EVENT_EXIT, child.pid);
	assert_int_equal(count_events(w, EVENT_TERM, child.pid), 1);
	end_child(&child);
}

static void *end_late(void *act)
{
	act_await(act);
	_exit(0);
}

/* The main thread leaves first; the process lives as long as its last thread. */
static int run_threads(struct act *act)
{
	struct told told = { 0 };
	pthread_t thread;

	open_bound(SOCK_DGRAM, &told);
	told.error = -pthread_create(&thread, NULL, end_late, act);
	act_tell(act, &told);
	pthread_exit(NULL);
}

TEST_WITH(process_ends_once_with_its_last_thread, struct watcher *w)
{
	struct child child = start_child(run_threads);
	struct process_id id = identity(child.pid);
	const struct event *e;

	hear_well(&child);
	/* of the main thread alone */
	for (int64_t end = now_ms() + WAIT_MS; procfs_state(&id) != 'Z' && now_ms() < end;)
		poll(NULL, 0, 1);
	assert_int_equal(procfs_state(&id), 'Z');
	dispatch(w);
	assert_int_equal(count_events(w, EVENT_EXIT, child.pid), 0);
	step(&child);
	e = await_event(w, EVENT_EXIT, child.pid);
	assert_true(process_id_equal(&e->actor, &id));
	assert_int_equal(e->exit_code, 0);
	end_child(&child);
	await_event(w, EVENT_CLOSE, id.pid);
	assert_int_equal(count_events(w, EVENT_EXIT, id.pid), 1);
}

static int run_forking_holder(struct act *act)
{
	struct told told = { 0 };

	open_bound(SOCK_DGRAM, &told);
	told.pid = fork();
	if (told.pid == 0) {
		act_await(act);
		_exit(5);
	}
	act_tell(act, &told);
	waitpid(told.pid, NULL, 0);
	act_await(act);
	return 0;
}

TEST_WITH(fork_of_a_holder_names_the_child_and_tracks_it, struct watcher *w)
{
	struct child child = start_child(run_forking_holder);
	struct told told = hear_well(&child);
	const struct event *e = await_event(w, EVENT_FORK, child.pid);
	struct process_id id = identity(told.pid);

	assert_true(process_id_equal(&e->child, &id));
	step(&child);
	assert_int_equal(await_event(w, EVENT_EXIT, told.pid)->exit_code, 5 << 8);
}

static int run_executing_holder(struct act *act)
{
	struct told told = { 0 };

	open_bound(SOCK_DGRAM, &told);
	act_tell_and_await(act, &told);
	execl("/bin/true", "true", NULL);
	return 1;
}

TEST_WITH(exec_of_a_holder_describes_the_new_program_first, struct watcher *w)
{
	struct child child = start_child(run_executing_holder);
	const struct event *exec, *process;

	hear_well(&child);
	step(&child);
	exec = await_event(w, EVENT_EXEC, child.pid);
	assert_string_equal(exec->comm, "true");
	process = await_events(w, EVENT_PROCESS, child.pid, 2);
	assert_true(process < exec);
	assert_string_equal(process->process.comm, "true");
	assert_non_null(strstr(process->process.exe, "/true"));
}

static int run_without_sockets(struct act *act)
{
	struct told told = { .pid = fork() };

	if (told.pid == 0)
		_exit(0);
	waitpid(told.pid, NULL, 0);
	act_tell(act, &told);
	open_bound(SOCK_DGRAM, &told);
	return act_stay(act, &told);
}

TEST_WITH(processes_without_sockets_are_not_reported, struct watcher *w)
{
	struct child child = start_child(run_without_sockets);
	struct told told = hear_well(&child);

	await_event(w, EVENT_BIND, child.pid);
	assert_int_equal(count_events(w, EVENT_FORK, child.pid), 0);
	assert_int_equal(count_events(w, EVENT_EXIT, told.pid), 0);
}

/* --- those of which the exit alone is told --- */

static int run_launcher(struct act *act)
{
	struct told told = { .pid = fork() };

	if (told.pid == 0)
		_exit(0);
	waitpid(told.pid, NULL, 0);
	act_tell_and_await(act, &told);
	return 3;
}

TEST_WITH(exit_of_a_launcher_is_told_and_nothing_else_of_it, struct watcher *w)
{
	struct child child = start_child(run_launcher);
	struct process_id id = identity(child.pid);
	struct told told;

	assert_int_equal(ASK(w->sentinel, track_exit, &id, true), 0);
	told = hear_well(&child);
	step(&child);
	assert_int_equal(await_event(w, EVENT_EXIT, child.pid)->exit_code, 3 << 8);
	assert_int_equal(count_events(w, EVENT_FORK, child.pid), 0);
	assert_int_equal(count_events(w, EVENT_EXIT, told.pid), 0);
	assert_int_equal(end_child(&child), 3 << 8);
}

TEST_WITH(exit_of_a_launcher_that_nobody_follows_any_more_is_not_told, struct watcher *w)
{
	struct child child = start_child(run_launcher), later;
	struct process_id id = identity(child.pid);

	assert_int_equal(ASK(w->sentinel, track_exit, &id, true), 0);
	assert_int_equal(ASK(w->sentinel, track_exit, &id, false), 0);
	assert_int_equal(ASK(w->sentinel, track_exit, &id, false), 0);
	hear_well(&child);
	step(&child);
	assert_int_equal(end_child(&child), 3 << 8);
	later = start_child(run_exit_with_code); /* whose end is told behind it */
	hear_well(&later);
	step(&later);
	await_event(w, EVENT_EXIT, later.pid);
	assert_int_equal(count_events(w, EVENT_EXIT, child.pid), 0);
}

/* In its session, which a child shares until it makes one of its own. */
TEST_WITH(ancestors_carry_their_session, struct watcher *w)
{
	struct child child = start_child(run_orphan);
	struct told told = hear_well(&child);
	const struct event *e = await_event(w, EVENT_PROCESS, told.pid);

	assert_int_equal(e->process.ancestors[0].sid, getsid(0));
	assert_int_equal(e->process.ancestors[1].sid, getsid(0));
	step(&child);
	assert_int_equal(waitpid(child.pid, NULL, 0), child.pid);
	hear_well(&child);
}

WATCHING_TEST_MAIN(start_watching, stop_watching)
