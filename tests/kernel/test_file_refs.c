/* SPDX-License-Identifier: MIT */
/* Everything that holds a socket and is no descriptor: each made for real by a child. */
#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>

#include "kernel/actors.h"
#include "kernel/asker.h"
#include "kernel/letting_go.h"

#define MANY_OWNERS 70 /* more than one pass looks for */

/* --- descriptors ----------------------------------------------------------------------------- */

TEST_WITH(ordinary_descriptor_is_no_file_ref_and_complete, struct asker *a)
{
	struct child child = start_and_hear_well(run_listener);

	assert_file_ref(a, child.told.port, FILE_REF_NONE, 0, 1, 0);
}

struct descriptors {
	struct process_id id;
	int fd, n;
};

static int keep_descriptor(size_t owner, const struct process_id *id, int fd, void *user_data)
{
	struct descriptors *found = user_data;

	assert_int_equal(owner, 0);
	*found = (struct descriptors){ *id, fd, found->n + 1 };
	return 0;
}

static int stop_at_once(size_t owner, const struct process_id *id, int fd, void *user_data)
{
	return -ECANCELED;
}

TEST_WITH(descriptors_of_an_owner_are_visited, struct asker *a)
{
	struct child child = start_and_hear_well(run_listener);
	struct inventory *proc_only = NULL;
	struct descriptors by_kernel = { 0 }, by_proc = { 0 };
	struct bind_table table;

	read_table(a, child.told.port, &table);
	assert_int_equal(inventory_find_descriptors(a->inventory, table.owners, 1, keep_descriptor,
						    &by_kernel),
			 0);
	assert_int_equal(by_kernel.n, 1);
	assert_int_equal(by_kernel.id.pid, child.pid);
	assert_int_equal(by_kernel.fd, child.told.fd);
	assert_int_equal(
		inventory_find_descriptors(a->inventory, table.owners, 1, stop_at_once, NULL),
		-ECANCELED);
	assert_int_equal(inventory_new(&(struct kernel_source){ 0 }, &proc_only), 0);
	assert_int_equal(
		inventory_find_descriptors(proc_only, table.owners, 1, keep_descriptor, &by_proc),
		0);
	assert_int_equal(by_proc.n, 1);
	assert_true(process_id_equal(&by_proc.id, &by_kernel.id));
	assert_int_equal(by_proc.fd, child.told.fd);
	inventory_free(proc_only);
	bindtable_deinit(&table);
}

/* --- in flight ------------------------------------------------------------------------------- */

static void run_sender(struct told *told)
{
	int ends[2], fd = open_listener(0, told);

	told->error = told->error ?: open_pair(SOCK_STREAM, ends);
	told->error = told->error ?: send_fds(ends[0], (int[]){ fd }, 1);
	close(fd);
}

TEST_WITH(message_that_nobody_received_is_named_with_its_receiver, struct asker *a)
{
	struct child child = start_and_hear_well(run_sender);

	assert_only_file_ref(a, child.told.port, FILE_REF_IN_FLIGHT, child.pid);
}

/* The listener and its copies, in two messages, and in a process that shares the socket pair. */
static int run_sender_of_many(struct act *act)
{
	struct told told = { 0 };
	int ends[2], fd = open_listener(0, &told);

	told.error = told.error ?: open_pair(SOCK_DGRAM, ends);
	told.error = told.error ?: send_fds(ends[0], (int[]){ ends[0], fd, fd }, 3);
	told.error = told.error ?: send_fds(ends[0], (int[]){ fd }, 1);
	close(fd);
	told.pid = fork();
	if (told.pid == 0) {
		act_await(act);
		_exit(0);
	}
	act_tell_and_await(act, &told);
	waitpid(told.pid, NULL, 0);
	return 0;
}

TEST_WITH(every_copy_in_every_message_counts_once, struct asker *a)
{
	struct child child = start_child(run_sender_of_many);
	struct told told = hear_well(&child);

	assert_file_ref(a, told.port, FILE_REF_IN_FLIGHT, child.pid, 0, 3);
}

/* A socket pair whose receiving end travels too: no process has it open. */
static void run_sender_in_a_message(struct told *told)
{
	int inner[2], outer[2], fd = open_listener(0, told);

	told->error = told->error ?: open_pair(SOCK_STREAM, inner);
	told->error = told->error ?: open_pair(SOCK_STREAM, outer);
	told->error = told->error ?: send_fds(inner[0], (int[]){ fd }, 1);
	told->error = told->error ?: send_fds(outer[0], (int[]){ inner[1] }, 1);
	close(fd);
	close(inner[1]);
}

TEST_WITH(message_in_a_socket_that_is_itself_in_flight_is_nobodys, struct asker *a)
{
	struct child child;

	need_probe(a, "queued");
	child = start_and_hear_well(run_sender_in_a_message);
	assert_file_ref(a, child.told.port, FILE_REF_IN_FLIGHT, 0, 0, 1);
}

static void run_receiver(struct told *told)
{
	char control[CMSG_SPACE(sizeof(int))], byte;
	struct iovec data = { &byte, 1 };
	struct msghdr message = { .msg_iov = &data,
				  .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = sizeof(control) };
	int ends[2], fd = open_listener(0, told);

	told->error = told->error ?: open_pair(SOCK_STREAM, ends);
	told->error = told->error ?: send_fds(ends[0], (int[]){ fd }, 1);
	close(fd);
	if (recvmsg(ends[1], &message, 0) < 0)
		told->error = -errno;
}

TEST_WITH(message_that_was_received_is_a_descriptor_again, struct asker *a)
{
	struct child child = start_and_hear_well(run_receiver);

	assert_file_ref(a, child.told.port, FILE_REF_NONE, 0, 1, 0);
}

/* --- mappings -------------------------------------------------------------------------------- */

static void run_mapper(struct told *told)
{
	int fd = open_listener(0, told);

	if (mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED)
		told->error = -errno;
	close(fd);
}

TEST_WITH(mapping_of_a_closed_socket_is_named, struct asker *a)
{
	struct child child;

	need_probe(a, "mapped");
	child = start_and_hear(run_mapper);
	need(child.told.error, "mapping of a TCP socket");
	assert_only_file_ref(a, child.told.port, FILE_REF_MMAP, child.pid);
}

/* --- io_uring -------------------------------------------------------------------------------- */

static void run_registered(struct told *told)
{
	struct ring ring;
	int fd = open_listener(0, told);

	told->error = told->error ?: ring_open(&ring);
	told->error = told->error ?: ring_register(&ring, fd);
	close(fd);
}

TEST_WITH(file_registered_with_a_ring_is_named, struct asker *a)
{
	assert_child_is_named(a, run_registered, "io_uring", FILE_REF_IO_URING_FILE);
}

static void run_accept_request(struct told *told)
{
	struct ring ring;
	int fd = open_listener(0, told);

	told->error = told->error ?: ring_open(&ring);
	told->error = told->error ?: ring_submit_accept(&ring, fd, 0);
	close(fd);
}

TEST_WITH(pending_request_of_a_ring_is_named, struct asker *a)
{
	assert_child_is_named(a, run_accept_request, "io_uring", FILE_REF_IO_URING_REQUEST);
}

static void run_request_on_registered(struct told *told)
{
	struct ring ring;
	int fd = open_listener(0, told);

	told->error = told->error ?: ring_open(&ring);
	told->error = told->error ?: ring_register(&ring, fd);
	told->error = told->error ?: ring_submit_accept(&ring, 1, IOSQE_FIXED_FILE);
	close(fd);
}

TEST_WITH(request_on_a_registered_file_counts_the_file_only, struct asker *a)
{
	assert_child_is_named(a, run_request_on_registered, "io_uring", FILE_REF_IO_URING_FILE);
}

/* --- calls and threads ----------------------------------------------------------------------- */

static void *block_in_accept(void *listener)
{
	accept(*(int *)listener, NULL, NULL);
	return NULL;
}

/* Sleeps in the call of this number? */
static bool sleeps_in(pid_t tid, long call)
{
	char path[64], text[32] = "";
	_cleanup_close_ int fd = -1;

	snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && read(fd, text, sizeof(text) - 1) > 0 && atol(text) == call &&
	       text[0] != 'r';
}

static pid_t other_thread(void)
{
	DIR *tasks = opendir("/proc/self/task");
	pid_t found = 0;

	for (const struct dirent *d; tasks && !found && (d = readdir(tasks));)
		if (atoi(d->d_name) != getpid())
			found = atoi(d->d_name); /* 0 for "." and ".." */
	if (tasks)
		closedir(tasks);
	return found;
}

static int run_blocked_accept(struct act *act)
{
	struct told told = { 0 };
	int fd = open_listener(0, &told);
	int64_t deadline = now_ms() + WAIT_MS;
	pthread_t thread;

	if (pthread_create(&thread, NULL, block_in_accept, &fd))
		return 1;
	while (!sleeps_in(other_thread(), SYS_accept) && now_ms() < deadline)
		sched_yield();
	close(fd);
	act_tell_and_await(act, &told);
	_exit(0);
}

TEST_WITH(call_that_sleeps_on_a_closed_descriptor_is_named, struct asker *a)
{
	struct child child = start_child(run_blocked_accept);
	struct told told = hear_well(&child);
	struct bind_owner owner;
	struct file_ref file_ref;

	owner = find_file_ref(a, told.port, &file_ref);
	assert_int_equal(owner.sleeper, child.pid);
	assert_int_equal(file_ref.kind, FILE_REF_SYSCALL);
	assert_process(&file_ref, child.pid);
	assert_int_equal(file_ref.descriptors, 0);
	assert_true(file_ref.complete);
	assert_int_equal(count_holders(a, told.port), 0);
}

static struct act *thread_act; /* of the child that started the thread */

static void *listen_in_private(void *unused)
{
	struct told told = { 0 };

	if (unshare(CLONE_FILES))
		told.error = -errno;
	else
		open_listener(0, &told);
	act_tell_and_await(thread_act, &told);
	_exit(0);
}

static int run_private_table(struct act *act)
{
	pthread_t thread;

	thread_act = act;
	if (pthread_create(&thread, NULL, listen_in_private, NULL))
		return 1;
	pthread_join(thread, NULL);
	return 0;
}

/*
 * The look at one process of 6.1 shows no table of a thread's own: then the holder is found by the
 * next pass over all of them, which keeps its distance from the last one.
 */
static bool is_private_when_verified(struct asker *a, uint16_t port)
{
	const struct socket_row *row = NULL;

	for (int tries = 0; tries < 500; tries++) {
		assert_int_equal(inventory_verify_port(a->inventory, 0, port), 0);
		assert_int_equal(inventory_by_port(a->inventory, 0, port, &row, 1), 1);
		if (row->n_holders)
			return row->holders[0].private_only;
		poll(NULL, 0, 20);
	}
	return false;
}

TEST_WITH(descriptor_private_to_a_thread_is_named, struct asker *a)
{
	struct child child = start_child(run_private_table);
	struct told told = hear_well(&child);

	assert_file_ref(a, told.port, FILE_REF_THREAD, child.pid, 1, 0);
	assert_int_equal(count_holders(a, told.port), 1);
	assert_true(first_holder(a, told.port)->private_only);
	assert_true(is_private_when_verified(a, told.port));
}

static pthread_t main_thread;

static void *outlive_the_main_thread(void *unused)
{
	struct told told = { 0 };

	pthread_join(main_thread, NULL);
	open_listener(0, &told);
	act_tell_and_await(thread_act, &told);
	_exit(0);
}

static void *sit(void *unused)
{
	for (;;)
		pause();
	return NULL;
}

static int run_leaderless(struct act *act)
{
	pthread_t thread, others[2];

	thread_act = act;
	main_thread = pthread_self();
	if (pthread_create(&thread, NULL, outlive_the_main_thread, NULL) ||
	    pthread_create(&others[0], NULL, sit, NULL) ||
	    pthread_create(&others[1], NULL, sit, NULL))
		return 1;
	/* not pthread_exit(), whose unwinding the sanitizers do not survive */
	syscall(SYS_exit, 0);
	return 1;
}

/* The thread is joined before the kernel is through with it. */
static void await_zombie(pid_t pid)
{
	int64_t deadline = now_ms() + WAIT_MS;
	struct process_id id = identity(pid);

	while (procfs_state(&id) != 'Z' && now_ms() < deadline)
		sched_yield();
	assert_int_equal(procfs_state(&id), 'Z');
}

TEST_WITH(process_whose_main_thread_has_exited_is_named, struct asker *a)
{
	struct child child = start_child(run_leaderless);
	struct told told = hear_well(&child);
	const struct socket_row *row;

	await_zombie(child.pid);
	/* three threads, one table */
	assert_file_ref(a, told.port, FILE_REF_ZOMBIE_LEADER, child.pid, 1, 0);
	assert_int_equal(count_holders(a, told.port), 1);
	assert_int_equal(inventory_by_port(a->inventory, 0, told.port, &row, 1), 1);
	assert_int_equal(row->holders[0].fd_count, 1);
	assert_false(row->holders[0].private_only);
	assert_true(row->complete);
}

/* --- without any capability --------------------------------------------------------------------
 */

TEST_WITH(file_refs_of_others_are_found_without_any_capability, struct asker *a)
{
	struct child child = start_and_hear_well(run_sender);
	struct bind_table table;
	int status = 0;
	pid_t pid;

	read_table(a, child.told.port, &table);
	pid = fork();
	if (pid == 0) {
		struct file_ref file_ref;

		if (drop_everything() ||
		    inventory_find_file_refs(a->inventory, table.owners, 1, &file_ref))
			_exit(1);
		_exit(file_ref.kind != FILE_REF_IN_FLIGHT || file_ref.process.pid != child.pid);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	bindtable_deinit(&table);
}

/* --- together -------------------------------------------------------------------------------- */

/* One socket, held in three ways. */
static void run_everything(struct told *told)
{
	int ends[2], fd = open_listener(0, told);
	struct ring ring;

	told->error = told->error ?: ring_open(&ring);
	told->error = told->error ?: ring_register(&ring, fd);
	told->error = told->error ?: open_pair(SOCK_STREAM, ends);
	told->error = told->error ?: send_fds(ends[0], (int[]){ fd, fd }, 2);
}

TEST_WITH(row_is_complete_when_file_refs_explain_the_rest, struct asker *a)
{
	struct child child = start_and_hear(run_everything);
	const struct socket_row *row;

	need(child.told.error, "io_uring");
	assert_int_equal(count_holders(a, child.told.port), 1);
	inventory_by_port(a->inventory, 0, child.told.port, &row, 1);
	assert_false(row->complete);
	/* two of the four references are in flight */
	assert_file_ref(a, child.told.port, FILE_REF_IN_FLIGHT, child.pid, 1, 3);
	assert_true(row->complete);
}

static void run_many(struct told *told)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	int one = 1, ends[2];

	told->error = told->error ?: open_pair(SOCK_DGRAM, ends);
	for (int i = 0; i < MANY_OWNERS && !told->error; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + (unsigned)i);
		addr.sin_port = htons(told->port);
		if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
			told->error = -errno;
		told->port = port_of(fd);
		if (i != MANY_OWNERS - 1)
			continue;
		/* only the last of them */
		told->cookie = cookie_of(fd);
		told->error = told->error ?: send_fds(ends[0], (int[]){ fd }, 1);
		close(fd);
	}
}

TEST_WITH(more_owners_than_one_pass_takes_are_all_looked_for, struct asker *a)
{
	struct child child = start_and_hear_well(run_many);
	struct file_ref file_refs[MANY_OWNERS];
	struct bind_table table;

	read_table(a, child.told.port, &table);
	assert_int_equal(table.n_owners, MANY_OWNERS);
	assert_int_equal(
		inventory_find_file_refs(a->inventory, table.owners, table.n_owners, file_refs), 0);
	for (size_t i = 0; i < table.n_owners; i++) {
		assert_int_equal(file_refs[i].kind, table.owners[i].cookie == child.told.cookie
							    ? FILE_REF_IN_FLIGHT
							    : FILE_REF_NONE);
		assert_true(file_refs[i].complete);
	}
	assert_int_equal(inventory_find_file_refs(a->inventory, table.owners,
						  FILE_REFS_OWNERS_MAX + 1, file_refs),
			 -E2BIG);
	bindtable_deinit(&table);
}

ASKING_TEST_MAIN(start_asking, stop_asking)
