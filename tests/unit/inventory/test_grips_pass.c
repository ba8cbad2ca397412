/* SPDX-License-Identifier: MIT */
/* The records of grips: their decoder, the reader around it, and what they add up to. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "inventory/grips_pass.h"
#include "unit/random.h"

#define TICKS	100
#define TICK_NS 10000000ULL
#define TARGETS 2

static struct abi_grip record(enum abi_grip_kind kind, uint32_t pid, uint64_t where)
{
	return (struct abi_grip){
		.head = { .kind = ABI_GRIP,
			  .size = sizeof(struct abi_grip),
			  .pid = pid,
			  .start_ns = pid * TICK_NS },
		.kind = kind,
		.where = where,
		.references = 1,
	};
}

static int decode(const struct abi_grip *grip, struct grip_record *ret)
{
	return grips_pass_decode(grip, sizeof(*grip), TARGETS, TICKS, ret);
}

/* --- decoding -------------------------------------------------------------------------------- */

static void a_record_is_decoded(void **state)
{
	struct abi_grip grip = record(ABI_GRIP_RING_FILE, 7, 99);
	struct grip_record r;

	grip.target = 1;
	grip.references = 3;
	assert_int_equal(decode(&grip, &r), 0);
	assert_int_equal(r.target, 1);
	assert_int_equal(r.kind, ABI_GRIP_RING_FILE);
	assert_int_equal(r.where, 99);
	assert_int_equal(r.references, 3);
	assert_int_equal(r.id.pid, 7);
	assert_int_equal(r.id.start_ticks, 7);
}

static void what_no_program_writes_is_refused(void **state)
{
	const struct abi_grip good = record(ABI_GRIP_FD, 7, 1);
	struct grip_record r;
	struct abi_grip bad[6];

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		bad[i] = good;
	bad[0].head.kind = ABI_HOLDER;
	bad[1].head.size--;
	bad[2].kind = 0;
	bad[3].kind = ABI_GRIP_MAPPING + 1;
	bad[4].target = TARGETS;
	bad[5].head.pid = 0; /* only a message in flight may be nobody's */
	assert_int_equal(decode(&good, &r), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(decode(&bad[i], &r), -EBADMSG);
	assert_int_equal(grips_pass_decode(&good, sizeof(good) - 1, TARGETS, TICKS, &r), -EBADMSG);
}

static void hostile_records_are_refused_or_within_bounds(void **state)
{
	struct random_source random = random_start(__func__);
	struct grip_record r;
	struct abi_grip grip;

	for (int i = 0; i < 100000; i++) {
		grip = record(ABI_GRIP_FD, 7, 1);
		for (int flips = 0; flips < 3; flips++)
			((uint8_t *)&grip)[random_below(&random, sizeof(grip))] =
				(uint8_t)random_below(&random, 256);
		if (decode(&grip, &r))
			continue;
		assert_in_range(r.kind, ABI_GRIP_FD, ABI_GRIP_MAPPING);
		assert_in_range(r.target, 0, TARGETS - 1);
		assert_true(r.id.pid >= 0);
	}
}

/* A file that reads like a pass. */
static int stream(const struct abi_grip *grips, size_t bytes)
{
	int fd = memfd_create("grips", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, grips, bytes), bytes);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static void a_pass_of_many_records_is_read_to_its_end(void **state)
{
	static struct abi_grip grips[5000];
	struct grip_records records = { 0 };
	_cleanup_close_ int fd = -1;

	for (size_t i = 0; i < ARRAY_SIZE(grips); i++)
		grips[i] = record(ABI_GRIP_FD, (uint32_t)i + 1, i);
	fd = stream(grips, sizeof(grips));
	assert_int_equal(grips_pass_read(fd, TARGETS, &records), 0);
	assert_int_equal(records.n, ARRAY_SIZE(grips));
	for (size_t i = 0; i < records.n; i++)
		assert_int_equal(records.records[i].where, i);
	grip_records_deinit(&records);
}

static void a_pass_that_ends_inside_a_record_is_refused(void **state)
{
	const struct abi_grip grips[2] = { record(ABI_GRIP_FD, 1, 1), record(ABI_GRIP_FD, 2, 1) };
	struct grip_records records = { 0 };
	_cleanup_close_ int fd = stream(grips, sizeof(grips) - 1);

	assert_int_equal(grips_pass_read(fd, TARGETS, &records), -EBADMSG);
	grip_records_deinit(&records);
}

/* --- adding up ------------------------------------------------------------------------------- */

/* What these records say of one owner whose file has so many references. */
static struct grip add_up(const struct abi_grip *grips, size_t n, uint32_t file_refs, pid_t sleeper)
{
	const struct bind_owner owner = { .file_id = 1,
					  .file_refs = file_refs,
					  .sleeper = sleeper };
	struct grip_records records = { 0 };
	_cleanup_close_ int fd = stream(grips, n * sizeof(*grips));
	struct grip grip;

	assert_int_equal(grips_pass_read(fd, TARGETS, &records), 0);
	grips_add_up(&records, &owner, 1, &grip);
	grip_records_deinit(&records);
	return grip;
}

static void nothing_found_proves_nothing(void **state)
{
	struct grip grip = add_up(NULL, 0, 1, 0);

	assert_int_equal(grip.kind, GRIP_NONE);
	assert_false(grip.complete);
}

static void one_ring_of_two_processes_counts_once_and_is_the_older_ones(void **state)
{
	const struct abi_grip grips[] = { record(ABI_GRIP_RING_FILE, 9, 1),
					  record(ABI_GRIP_RING_FILE, 8, 1) };
	struct grip grip = add_up(grips, 2, 1, 0);

	assert_int_equal(grip.kind, GRIP_IO_URING_FILE);
	assert_int_equal(grip.references, 1);
	assert_int_equal(grip.process.pid, 8);
	assert_true(grip.complete);
}

static void a_message_seen_twice_keeps_its_process(void **state)
{
	const struct abi_grip grips[] = { record(ABI_GRIP_IN_FLIGHT, 0, 1),
					  record(ABI_GRIP_IN_FLIGHT, 8, 1) };
	struct grip grip = add_up(grips, 2, 1, 0);

	assert_int_equal(grip.references, 1);
	assert_int_equal(grip.process.pid, 8);
}

static void what_explains_more_names_the_grip(void **state)
{
	struct abi_grip grips[] = { record(ABI_GRIP_FD, 3, 1), record(ABI_GRIP_RING_FILE, 4, 2),
				    record(ABI_GRIP_MAPPING, 5, 3) };
	struct grip grip;

	grips[2].references = 2;
	grip = add_up(grips, 3, 4, 0);
	assert_int_equal(grip.kind, GRIP_MMAP);
	assert_int_equal(grip.process.pid, 5);
	assert_int_equal(grip.references, 3);
	assert_int_equal(grip.descriptors, 1);
	assert_true(grip.complete);
	grip = add_up(grips, 3, 5, 0);
	assert_false(grip.complete);
}

static void a_thread_whose_process_has_the_socket_too_is_no_grip(void **state)
{
	const struct abi_grip grips[] = { record(ABI_GRIP_FD, 3, 1),
					  record(ABI_GRIP_THREAD_FD, 3, 2) };
	struct grip grip = add_up(grips, 2, 2, 0);

	assert_int_equal(grip.kind, GRIP_NONE);
	assert_int_equal(grip.descriptors, 2);
	assert_true(grip.complete);
	grip = add_up(grips + 1, 1, 1, 0);
	assert_int_equal(grip.kind, GRIP_THREAD);
	assert_int_equal(grip.process.pid, 3);
}

static void threads_that_share_the_table_of_an_exited_leader_count_once(void **state)
{
	const struct abi_grip grips[] = { record(ABI_GRIP_ZOMBIE_FD, 3, 1),
					  record(ABI_GRIP_ZOMBIE_FD, 3, 1),
					  record(ABI_GRIP_ZOMBIE_FD, 3, 1) };
	struct grip grip = add_up(grips, 3, 1, 0);

	assert_int_equal(grip.kind, GRIP_ZOMBIE_LEADER);
	assert_int_equal(grip.descriptors, 1);
	assert_true(grip.complete);
}

static void a_sleeper_without_a_descriptor_is_the_grip(void **state)
{
	const struct abi_grip grips[] = { record(ABI_GRIP_FD, 3, 1) };
	struct grip grip = add_up(NULL, 0, 0, 3);

	assert_int_equal(grip.kind, GRIP_SYSCALL);
	assert_int_equal(grip.process.pid, 3);
	assert_int_equal(grip.references, 0);
	assert_true(grip.complete);
	/* its call's reference counts where the walk did not know it for one */
	grip = add_up(NULL, 0, 1, 3);
	assert_int_equal(grip.references, 1);
	assert_true(grip.complete);
	grip = add_up(grips, 1, 1, 3);
	assert_int_equal(grip.kind, GRIP_NONE);
}

static void owners_get_their_own_records(void **state)
{
	const struct bind_owner owners[TARGETS] = { { .file_id = 1, .file_refs = 1 },
						    { .file_id = 2, .file_refs = 1 } };
	struct abi_grip grips[] = { record(ABI_GRIP_MAPPING, 3, 1), record(ABI_GRIP_FD, 4, 1) };
	struct grip_records records = { 0 };
	_cleanup_close_ int fd = -1;
	struct grip ret[TARGETS];

	grips[0].target = 1;
	fd = stream(grips, sizeof(grips));
	assert_int_equal(grips_pass_read(fd, TARGETS, &records), 0);
	grips_add_up(&records, owners, TARGETS, ret);
	grip_records_deinit(&records);
	assert_int_equal(ret[0].kind, GRIP_NONE);
	assert_int_equal(ret[0].descriptors, 1);
	assert_int_equal(ret[1].kind, GRIP_MMAP);
	assert_true(ret[0].complete && ret[1].complete);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_is_decoded),
		cmocka_unit_test(what_no_program_writes_is_refused),
		cmocka_unit_test(hostile_records_are_refused_or_within_bounds),
		cmocka_unit_test(a_pass_of_many_records_is_read_to_its_end),
		cmocka_unit_test(a_pass_that_ends_inside_a_record_is_refused),
		cmocka_unit_test(nothing_found_proves_nothing),
		cmocka_unit_test(one_ring_of_two_processes_counts_once_and_is_the_older_ones),
		cmocka_unit_test(a_message_seen_twice_keeps_its_process),
		cmocka_unit_test(what_explains_more_names_the_grip),
		cmocka_unit_test(a_thread_whose_process_has_the_socket_too_is_no_grip),
		cmocka_unit_test(threads_that_share_the_table_of_an_exited_leader_count_once),
		cmocka_unit_test(a_sleeper_without_a_descriptor_is_the_grip),
		cmocka_unit_test(owners_get_their_own_records),
	};

	return cmocka_run_group_tests_name("grips pass", tests, NULL, NULL);
}
