/* SPDX-License-Identifier: MIT */
/*
 * What a question costs grows with the sockets that it is about and no faster, whoever holds them:
 * one process with 16,000, or one port with as many addresses.  Anybody can open so many.
 */
#include "testing.h"
#include "unit/inventory/fake.h"

#define FEW	   1000
#define MANY	   (16 * FEW)
#define GROWTH_MAX 64 /* linear work grows 16 times, what is done for each pair 256 times */
#define ATTEMPTS   5  /* a busy machine slows one of the two, seldom in all of them */
#define FIRST_PORT 3000
#define FIRST_FD   3

static const struct inventory_place from_the_start;

/* Socket n, from 0 on, has cookie n + 1 and is descriptor FIRST_FD + n of its process. */
struct herd {
	unsigned n_sockets;
	unsigned n_processes; /* each holds all of them */
	bool one_port;
	bool backwards; /* the kernel's list has the newest first */
	struct inventory *inv;
};

static struct abi_holder holder_of(const struct herd *h, unsigned process, unsigned socket)
{
	struct fake_fd fd = {
		.pid = (uint32_t)fake_id(process).pid,
		.start_ticks = fake_id(process).start_ticks,
		.cookie = socket + 1,
		.inode = socket + 1,
		.fd = FIRST_FD + socket,
		.refs = h->n_processes,
	};
	struct fake f = { .port = (uint16_t)(FIRST_PORT + (h->one_port ? 0 : socket)) };

	return fake_holder(&f, &fd);
}

static int open_pass(void *user_data)
{
	const struct herd *h = user_data;
	FILE *f = tmpfile();
	int fd;

	assert_non_null(f);
	for (unsigned p = 0; p < h->n_processes; p++) {
		for (unsigned i = 0; i < h->n_sockets; i++) {
			unsigned socket = h->backwards ? h->n_sockets - 1 - i : i;
			struct abi_holder holder = holder_of(h, p, socket);

			assert_int_equal(fwrite(&holder, sizeof(holder), 1, f), 1);
		}
	}
	rewind(f);
	fd = dup(fileno(f));
	fclose(f);
	return fd;
}

static int recheck(void *user_data, struct abi_hold *holds, size_t n)
{
	const struct herd *h = user_data;

	for (size_t i = 0; i < n; i++) {
		struct process_id id = fake_id(holds[i].pid - FAKE_PID);

		holds[i].start_ns = fake_ns(id.start_ticks);
		holds[i].file_refs = h->n_processes;
	}
	return 0;
}

static enum process_stage stage = PROCESS_RUNS; /* of every process */
static unsigned stages_asked;

static enum process_stage stage_of_all(void *user_data, const struct process_id *id)
{
	stages_asked++;
	return stage;
}

static void start(struct herd *h)
{
	struct kernel_source source = {
		.open_holder_pass = open_pass,
		.recheck_descriptors = recheck,
		.stage = stage_of_all,
		.user_data = h,
	};

	assert_int_equal(inventory_new(&source, &h->inv), 0);
	assert_int_equal(inventory_resync(h->inv, 1, NULL, NULL), 0);
}

static void list(struct herd *h)
{
	unsigned n_ports = h->one_port ? 1 : h->n_sockets;

	inventory_refresh(h->inv);
	assert_int_equal(inventory_recheck(h->inv, from_the_start, SIZE_MAX, NULL, NULL), 0);
	for (unsigned i = 0; i < n_ports; i++)
		assert_int_equal(
			inventory_verify_port(h->inv, FAKE_NETNS, (uint16_t)(FIRST_PORT + i)), 0);
}

/* The oldest goes first, as in a server that drains its connections in the order they came. */
static void close_all(struct herd *h)
{
	bool settle;

	for (unsigned i = 0; i < h->n_sockets; i++) {
		struct event e = socket_event(EVENT_CLOSE, 0, i + 1, 0);

		e.inode = i + 1;
		assert_int_equal(inventory_apply(h->inv, &e, 1, NULL, NULL, &settle), 0);
	}
	assert_null(inventory_by_cookie(h->inv, 1));
	assert_null(inventory_by_cookie(h->inv, h->n_sockets));
}

static double cpu_seconds(void (*step)(struct herd *h), struct herd *h)
{
	uint64_t before = clock_ns(CLOCK_PROCESS_CPUTIME_ID);

	step(h);
	return (double)(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - before) * 1e-9;
}

/* What start, listing and end of a herd cost. */
struct costs {
	double step[3];
};

static struct costs measure(const struct herd *shape, unsigned scale)
{
	struct herd h = *shape;
	struct costs costs;

	if (h.n_processes > 1)
		h.n_processes *= scale;
	else
		h.n_sockets *= scale;
	costs.step[0] = cpu_seconds(start, &h);
	costs.step[1] = cpu_seconds(list, &h);
	costs.step[2] = cpu_seconds(close_all, &h);
	inventory_free(h.inv);
	return costs;
}

static bool grows_slowly(const struct herd *shape)
{
	struct costs few = measure(shape, 1), many = measure(shape, MANY / FEW);
	bool slowly = true;

	for (size_t i = 0; i < 3; i++) {
		print_message("# step %zu: %.1f ms, %.1f ms\n", i, few.step[i] * 1e3,
			      many.step[i] * 1e3);
		slowly = slowly && many.step[i] < few.step[i] * GROWTH_MAX;
	}
	return slowly;
}

static void assert_grows_slowly(struct herd shape)
{
	int attempts = 0;

	while (!grows_slowly(&shape))
		assert_true(++attempts < ATTEMPTS);
}

TEST(many_sockets_of_one_process_are_gone_through_once)
{
	assert_grows_slowly((struct herd){ .n_sockets = FEW, .n_processes = 1 });
}

TEST(many_sockets_of_one_port_are_gone_through_once)
{
	assert_grows_slowly((struct herd){ .n_sockets = FEW, .n_processes = 1, .one_port = true });
}

TEST(the_order_in_which_the_kernel_lists_them_costs_nothing)
{
	assert_grows_slowly((struct herd){
		.n_sockets = FEW, .n_processes = 1, .one_port = true, .backwards = true });
}

TEST(many_processes_that_share_sockets_are_gone_through_once)
{
	assert_grows_slowly((struct herd){ .n_sockets = 10, .n_processes = FEW / 10 });
}

/* That is a file of /proc each, and the kernel takes its time to close so many. */
TEST(whether_a_process_is_ending_is_asked_once_for_all_of_its_sockets)
{
	struct herd h = { .n_sockets = FEW, .n_processes = 1 };
	struct event e = exit_event(0, 9);
	bool settle, again;

	start(&h);
	assert_int_equal(inventory_apply(h.inv, &e, 1, NULL, NULL, &settle), 0);
	stage = PROCESS_ENDING;
	stages_asked = 0;
	assert_int_equal(inventory_settle(h.inv, 1, NULL, NULL, &again), 0);
	assert_true(again);
	assert_in_range(stages_asked, 1, 3);
	stage = PROCESS_RUNS;
	inventory_free(h.inv);
}

TEST_MAIN(NULL, NULL)
