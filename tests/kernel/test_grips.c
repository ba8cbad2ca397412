/* SPDX-License-Identifier: MIT */
/* Everything that holds a socket and is no descriptor: each made for real by a child. */
#include <linux/io_uring.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "inventory/bindtable.h"
#include "inventory/grips.h"
#include "inventory/inventory.h"
#include "kernel/actors.h"

#define MANY_OWNERS 70 /* more than one pass looks for */

/* --- the asking side ------------------------------------------------------------------------- */

struct asker {
	struct sentinel *sentinel;
	struct inventory *inventory;
};

static int walk(void *user_data, const struct abi_walk *asked, const struct abi_walk_answer **ret)
{
	return sentinel_walk(user_data, asked, ret);
}

static int open_pass(void *user_data)
{
	return sentinel_open_holder_pass(user_data);
}

static int look(void *user_data, struct abi_look *ret)
{
	return sentinel_look(user_data, ret);
}

static void track_socket(void *user_data, uint64_t cookie)
{
	sentinel_track_socket(user_data, cookie);
}

static void track_process(void *user_data, const struct process_id *id, bool track)
{
	if (track)
		sentinel_track_process(user_data, id);
	else
		sentinel_untrack_process(user_data, id);
}

static int open_grips(void *user_data, unsigned pass, const uint64_t *files, size_t n)
{
	return sentinel_open_grips(user_data, pass, files, n);
}

static const struct sentinel_probe *probe(const struct asker *a, const char *name)
{
	const struct sentinel_report *report = sentinel_report(a->sentinel);

	for (int i = 0; i < report->n_probes; i++)
		if (!strcmp(report->probes[i].name, name))
			return &report->probes[i];
	fail_msg("no probe %s", name);
	return NULL;
}

static void need_probe(const struct asker *a, const char *name)
{
	const struct sentinel_probe *p = probe(a, name);

	if (p->state == SENTINEL_PROBE_WORKS)
		return;
	print_message("# skipped: the probe %s is refused here: %s\n", name, p->reason);
	skip();
}

static void need(struct child *child, int error, const char *what)
{
	if (!error)
		return;
	print_message("# skipped: no %s here: %s\n", what, strerror(-error));
	end_child(child);
	skip();
}

static int start_asking(void **state)
{
	struct asker *a = calloc(1, sizeof(*a));
	struct holder_source source;

	if (!a || sentinel_new(true, &a->sentinel))
		return -1;
	source = (struct holder_source){ open_pass,	look,	     track_socket,
					 track_process, a->sentinel, open_grips };
	*state = a;
	return inventory_new(&source, &a->inventory);
}

static int stop_asking(void **state)
{
	struct asker *a = *state;

	inventory_free(a->inventory);
	sentinel_free(a->sentinel);
	free(a);
	return 0;
}

static void read_table(const struct asker *a, uint16_t port, struct bind_table *ret)
{
	const struct bindtable_question question = { .protocol = IPPROTO_TCP, .port = port };

	need_probe(a, "walk");
	need_probe(a, "grips");
	assert_int_equal(bindtable_read(walk, a->sentinel, &question, ret), 0);
}

/* The only owner of the port, and what holds it. */
static struct bind_owner find_grip(const struct asker *a, uint16_t port, struct grip *ret)
{
	struct bind_table table;
	struct bind_owner owner;

	read_table(a, port, &table);
	assert_int_equal(table.n_owners, 1);
	owner = table.owners[0];
	bindtable_deinit(&table);
	assert_true(owner.file_id);
	assert_int_equal(inventory_find_grips(a->inventory, &owner, 1, ret), 0);
	return owner;
}

static size_t count_holders(const struct asker *a, uint16_t port)
{
	const struct socket_row *row;
	size_t n = 0;

	assert_int_equal(inventory_resync(a->inventory, 0, NULL, NULL), 0);
	if (inventory_by_port(a->inventory, 0, port, &row, 1) == 1)
		n = row->n_holders;
	return n;
}

static void assert_process(const struct grip *grip, pid_t pid)
{
	struct process_id id;

	assert_int_equal(grip->process.pid, pid);
	assert_int_equal(procfs_identity(pid, &id), 0);
	assert_true(process_id_equal(&grip->process, &id));
}

/* A grip that no descriptor shares, and the proof that it is all. */
static void assert_only_grip(const struct asker *a, uint16_t port, enum grip_kind kind, pid_t pid)
{
	struct grip grip;

	find_grip(a, port, &grip);
	assert_int_equal(grip.kind, kind);
	assert_process(&grip, pid);
	assert_int_equal(grip.descriptors, 0);
	assert_int_equal(grip.references, 1);
	assert_true(grip.complete);
	assert_int_equal(count_holders(a, port), 0);
}

/* --- descriptors ----------------------------------------------------------------------------- */

static void ordinary_descriptor_is_no_grip_and_complete(void **state)
{
	struct child child = start_child(run_listener);
	struct told told = hear_well(&child);
	struct grip grip;

	find_grip(*state, told.port, &grip);
	assert_int_equal(grip.kind, GRIP_NONE);
	assert_int_equal(grip.process.pid, 0);
	assert_int_equal(grip.descriptors, 1);
	assert_int_equal(grip.references, 0);
	assert_true(grip.complete);
	end_child(&child);
}

/* --- in flight ------------------------------------------------------------------------------- */

static int send_fds(int over, const int *fds, size_t n)
{
	union {
		char bytes[CMSG_SPACE(8 * sizeof(int))];
		struct cmsghdr aligned;
	} control = { 0 };
	char byte = 0;
	struct iovec data = { &byte, 1 };
	struct msghdr message = { .msg_iov = &data,
				  .msg_iovlen = 1,
				  .msg_control = control.bytes,
				  .msg_controllen = CMSG_SPACE(n * sizeof(int)) };

	control.aligned.cmsg_level = SOL_SOCKET;
	control.aligned.cmsg_type = SCM_RIGHTS;
	control.aligned.cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(&control.aligned), fds, n * sizeof(int));
	return sendmsg(over, &message, 0) < 0 ? -errno : 0;
}

static int run_sender(struct act *act)
{
	struct told told = { 0 };
	int ends[2], fd = open_listener(0, &told);

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
		return 1;
	told.error = send_fds(ends[0], (int[]){ fd }, 1);
	close(fd);
	act_tell_and_await(act, &told);
	return 0;
}

static void message_that_nobody_received_is_named_with_its_receiver(void **state)
{
	struct child child = start_child(run_sender);
	struct told told = hear_well(&child);

	assert_only_grip(*state, told.port, GRIP_IN_FLIGHT, child.pid);
	end_child(&child);
}

/* The listener and its copies, in two messages, and in a process that shares the socket pair. */
static int run_sender_of_many(struct act *act)
{
	struct told told = { 0 };
	int ends[2], fd = open_listener(0, &told);

	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) < 0)
		return 1;
	told.error = send_fds(ends[0], (int[]){ ends[0], fd, fd }, 3);
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

static void every_copy_in_every_message_counts_once(void **state)
{
	struct child child = start_child(run_sender_of_many);
	struct told told = hear_well(&child);
	struct grip grip;

	find_grip(*state, told.port, &grip);
	assert_int_equal(grip.kind, GRIP_IN_FLIGHT);
	assert_int_equal(grip.references, 3);
	assert_true(grip.complete);
	assert_process(&grip, child.pid);
	close(child.to); /* ends both */
	child.to = -1;
	end_child(&child);
}

/* A socket pair whose receiving end travels too: no process has it open. */
static int run_sender_in_a_message(struct act *act)
{
	struct told told = { 0 };
	int inner[2], outer[2], fd = open_listener(0, &told);

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, inner) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, outer) < 0)
		return 1;
	told.error = send_fds(inner[0], (int[]){ fd }, 1);
	told.error = told.error ?: send_fds(outer[0], (int[]){ inner[1] }, 1);
	close(fd);
	close(inner[1]);
	act_tell_and_await(act, &told);
	return 0;
}

static void message_in_a_socket_that_is_itself_in_flight_is_nobodys(void **state)
{
	struct child child;
	struct told told;
	struct grip grip;

	need_probe(*state, "queued");
	child = start_child(run_sender_in_a_message);
	told = hear_well(&child);
	find_grip(*state, told.port, &grip);
	assert_int_equal(grip.kind, GRIP_IN_FLIGHT);
	assert_int_equal(grip.process.pid, 0);
	assert_int_equal(grip.references, 1);
	assert_true(grip.complete);
	end_child(&child);
}

static int run_receiver(struct act *act)
{
	char control[CMSG_SPACE(sizeof(int))], byte;
	struct iovec data = { &byte, 1 };
	struct msghdr message = { .msg_iov = &data,
				  .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = sizeof(control) };
	struct told told = { 0 };
	int ends[2], fd = open_listener(0, &told);

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
		return 1;
	told.error = send_fds(ends[0], (int[]){ fd }, 1);
	close(fd);
	if (recvmsg(ends[1], &message, 0) < 0)
		told.error = -errno;
	act_tell_and_await(act, &told);
	return 0;
}

static void message_that_was_received_is_a_descriptor_again(void **state)
{
	struct child child = start_child(run_receiver);
	struct told told = hear_well(&child);
	struct grip grip;

	find_grip(*state, told.port, &grip);
	assert_int_equal(grip.kind, GRIP_NONE);
	assert_int_equal(grip.descriptors, 1);
	assert_true(grip.complete);
	end_child(&child);
}

/* --- mappings -------------------------------------------------------------------------------- */

static int run_mapper(struct act *act)
{
	struct told told = { 0 };
	int fd = open_listener(0, &told);

	if (mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED)
		told.error = -errno;
	close(fd);
	act_tell_and_await(act, &told);
	return 0;
}

static void mapping_of_a_closed_socket_is_named(void **state)
{
	struct child child;
	struct told told;

	need_probe(*state, "mapped");
	child = start_child(run_mapper);
	told = hear(&child);
	need(&child, told.error, "mapping of a TCP socket");
	assert_only_grip(*state, told.port, GRIP_MMAP, child.pid);
	end_child(&child);
}

/* --- io_uring -------------------------------------------------------------------------------- */

/* A ring of the smallest size, by bare system calls. */
struct ring {
	int fd;
	struct io_uring_params params;
	struct io_uring_sqe *entries;
	char *queue;
};

static int ring_open(struct ring *ring)
{
	struct io_uring_params *p = &ring->params;
	size_t bytes;

	memset(ring, 0, sizeof(*ring));
	ring->fd = (int)syscall(SYS_io_uring_setup, 4, p);
	if (ring->fd < 0)
		return -errno;
	bytes = p->sq_off.array + p->sq_entries * sizeof(uint32_t);
	ring->queue = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd,
			   IORING_OFF_SQ_RING);
	ring->entries = mmap(NULL, p->sq_entries * sizeof(*ring->entries), PROT_READ | PROT_WRITE,
			     MAP_SHARED, ring->fd, IORING_OFF_SQES);
	return ring->queue == MAP_FAILED || ring->entries == MAP_FAILED ? -errno : 0;
}

static int ring_register(struct ring *ring, int fd)
{
	int fds[2] = { -1, fd };

	return syscall(SYS_io_uring_register, ring->fd, IORING_REGISTER_FILES, fds, 2) < 0 ? -errno
											   : 0;
}

static int ring_submit_accept(struct ring *ring, int fd, uint8_t flags)
{
	uint32_t *tail = (uint32_t *)(ring->queue + ring->params.sq_off.tail);
	uint32_t *array = (uint32_t *)(ring->queue + ring->params.sq_off.array);

	ring->entries[0] =
		(struct io_uring_sqe){ .opcode = IORING_OP_ACCEPT, .fd = fd, .flags = flags };
	array[*tail & (ring->params.sq_entries - 1)] = 0;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	return syscall(SYS_io_uring_enter, ring->fd, 1, 0, 0, NULL, 0) == 1 ? 0 : -errno;
}

static int run_registered(struct act *act)
{
	struct told told = { 0 };
	struct ring ring;
	int fd = open_listener(0, &told);

	told.error = told.error ?: ring_open(&ring);
	told.error = told.error ?: ring_register(&ring, fd);
	close(fd);
	act_tell_and_await(act, &told);
	return 0;
}

static void file_registered_with_a_ring_is_named(void **state)
{
	struct child child = start_child(run_registered);
	struct told told = hear(&child);

	need(&child, told.error, "io_uring");
	assert_only_grip(*state, told.port, GRIP_IO_URING_FILE, child.pid);
	end_child(&child);
}

static int run_accept_request(struct act *act)
{
	struct told told = { 0 };
	struct ring ring;
	int fd = open_listener(0, &told);

	told.error = told.error ?: ring_open(&ring);
	told.error = told.error ?: ring_submit_accept(&ring, fd, 0);
	close(fd);
	act_tell_and_await(act, &told);
	return 0;
}

static void pending_request_of_a_ring_is_named(void **state)
{
	struct child child = start_child(run_accept_request);
	struct told told = hear(&child);

	need(&child, told.error, "io_uring");
	assert_only_grip(*state, told.port, GRIP_IO_URING_REQUEST, child.pid);
	end_child(&child);
}

static int run_request_on_registered(struct act *act)
{
	struct told told = { 0 };
	struct ring ring;
	int fd = open_listener(0, &told);

	told.error = told.error ?: ring_open(&ring);
	told.error = told.error ?: ring_register(&ring, fd);
	told.error = told.error ?: ring_submit_accept(&ring, 1, IOSQE_FIXED_FILE);
	close(fd);
	act_tell_and_await(act, &told);
	return 0;
}

static void request_on_a_registered_file_counts_the_file_only(void **state)
{
	struct child child = start_child(run_request_on_registered);
	struct told told = hear(&child);

	need(&child, told.error, "io_uring");
	assert_only_grip(*state, told.port, GRIP_IO_URING_FILE, child.pid);
	end_child(&child);
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
	for (pid_t tid = getpid() + 1; tid < getpid() + 1000; tid++) {
		char path[64];

		snprintf(path, sizeof(path), "/proc/self/task/%d", tid);
		if (!access(path, F_OK))
			return tid;
	}
	return 0;
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

static void call_that_sleeps_on_a_closed_descriptor_is_named(void **state)
{
	struct child child = start_child(run_blocked_accept);
	struct told told = hear_well(&child);
	struct bind_owner owner;
	struct grip grip;

	owner = find_grip(*state, told.port, &grip);
	assert_int_equal(owner.sleeper, child.pid);
	assert_int_equal(grip.kind, GRIP_SYSCALL);
	assert_process(&grip, child.pid);
	assert_int_equal(grip.descriptors, 0);
	assert_true(grip.complete);
	assert_int_equal(count_holders(*state, told.port), 0);
	end_child(&child);
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

static void descriptor_private_to_a_thread_is_named(void **state)
{
	struct child child = start_child(run_private_table);
	struct told told = hear_well(&child);
	struct grip grip;

	find_grip(*state, told.port, &grip);
	assert_int_equal(grip.kind, GRIP_THREAD);
	assert_process(&grip, child.pid);
	assert_int_equal(grip.descriptors, 1);
	assert_int_equal(grip.references, 0);
	assert_true(grip.complete);
	assert_int_equal(count_holders(*state, told.port), 1);
	end_child(&child);
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
	struct process_id id;

	assert_int_equal(procfs_identity(pid, &id), 0);
	while (procfs_state(&id) != 'Z' && now_ms() < deadline)
		sched_yield();
	assert_int_equal(procfs_state(&id), 'Z');
}

static void process_whose_main_thread_has_exited_is_named(void **state)
{
	struct child child = start_child(run_leaderless);
	struct told told = hear_well(&child);
	const struct socket_row *row;
	struct grip grip;

	await_zombie(child.pid);
	find_grip(*state, told.port, &grip);
	assert_int_equal(grip.kind, GRIP_ZOMBIE_LEADER);
	assert_int_equal(grip.process.pid, child.pid);
	assert_int_equal(grip.descriptors, 1); /* three threads, one table */
	assert_true(grip.complete);
	assert_int_equal(count_holders(*state, told.port), 1);
	assert_int_equal(
		inventory_by_port(((struct asker *)*state)->inventory, 0, told.port, &row, 1), 1);
	assert_int_equal(row->holders[0].fd_count, 1);
	assert_true(row->complete);
	end_child(&child);
}

/* --- together -------------------------------------------------------------------------------- */

/* One socket, held in three ways. */
static int run_everything(struct act *act)
{
	struct told told = { 0 };
	int ends[2], fd = open_listener(0, &told);
	struct ring ring;

	told.error = told.error ?: ring_open(&ring);
	told.error = told.error ?: ring_register(&ring, fd);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
		return 1;
	told.error = told.error ?: send_fds(ends[0], (int[]){ fd, fd }, 2);
	act_tell_and_await(act, &told);
	return 0;
}

static void row_is_complete_when_grips_explain_the_rest(void **state)
{
	struct asker *a = *state;
	struct child child = start_child(run_everything);
	struct told told = hear(&child);
	const struct socket_row *row;
	struct grip grip;

	need(&child, told.error, "io_uring");
	assert_int_equal(count_holders(a, told.port), 1);
	inventory_by_port(a->inventory, 0, told.port, &row, 1);
	assert_false(row->complete);
	find_grip(a, told.port, &grip);
	assert_int_equal(grip.kind, GRIP_IN_FLIGHT); /* two of the four references */
	assert_int_equal(grip.references, 3);
	assert_int_equal(grip.descriptors, 1);
	assert_true(grip.complete);
	assert_true(row->complete);
	end_child(&child);
}

static int run_many(struct act *act)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	struct told told = { 0 };
	int one = 1, ends[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) < 0)
		return 1;
	for (int i = 0; i < MANY_OWNERS && !told.error; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + (unsigned)i);
		addr.sin_port = htons(told.port);
		if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
			told.error = -errno;
		told.port = port_of(fd);
		if (i != MANY_OWNERS - 1)
			continue;
		/* only the last of them */
		told.cookie = cookie_of(fd);
		told.error = told.error ?: send_fds(ends[0], (int[]){ fd }, 1);
		close(fd);
	}
	act_tell_and_await(act, &told);
	return 0;
}

static void more_owners_than_one_pass_takes_are_all_looked_for(void **state)
{
	struct asker *a = *state;
	struct child child = start_child(run_many);
	struct told told = hear_well(&child);
	struct grip grips[MANY_OWNERS];
	struct bind_table table;

	read_table(a, told.port, &table);
	assert_int_equal(table.n_owners, MANY_OWNERS);
	assert_int_equal(inventory_find_grips(a->inventory, table.owners, table.n_owners, grips),
			 0);
	for (size_t i = 0; i < table.n_owners; i++) {
		assert_int_equal(grips[i].kind, table.owners[i].cookie == told.cookie
							? GRIP_IN_FLIGHT
							: GRIP_NONE);
		assert_true(grips[i].complete);
	}
	assert_int_equal(
		inventory_find_grips(a->inventory, table.owners, GRIPS_OWNERS_MAX + 1, grips),
		-E2BIG);
	bindtable_deinit(&table);
	end_child(&child);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ordinary_descriptor_is_no_grip_and_complete),
		cmocka_unit_test(message_that_nobody_received_is_named_with_its_receiver),
		cmocka_unit_test(every_copy_in_every_message_counts_once),
		cmocka_unit_test(message_in_a_socket_that_is_itself_in_flight_is_nobodys),
		cmocka_unit_test(message_that_was_received_is_a_descriptor_again),
		cmocka_unit_test(mapping_of_a_closed_socket_is_named),
		cmocka_unit_test(file_registered_with_a_ring_is_named),
		cmocka_unit_test(pending_request_of_a_ring_is_named),
		cmocka_unit_test(request_on_a_registered_file_counts_the_file_only),
		cmocka_unit_test(call_that_sleeps_on_a_closed_descriptor_is_named),
		cmocka_unit_test(descriptor_private_to_a_thread_is_named),
		cmocka_unit_test(process_whose_main_thread_has_exited_is_named),
		cmocka_unit_test(row_is_complete_when_grips_explain_the_rest),
		cmocka_unit_test(more_owners_than_one_pass_takes_are_all_looked_for),
	};

	return cmocka_run_group_tests_name("grips", tests, start_asking, stop_asking);
}
