/* SPDX-License-Identifier: MIT */
/* The records of file references: their decoder, the reader around it, and what they add up to. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "inventory/file_refs_pass.h"
#include "testing.h"
#include "unit/random.h"

#define TICKS	100
#define TICK_NS 10000000ULL
#define TARGETS 2

static struct abi_file_ref record(enum abi_file_ref_kind kind, uint32_t pid, uint64_t where)
{
	return (struct abi_file_ref){
		.head = { .kind = ABI_FILE_REF,
			  .size = sizeof(struct abi_file_ref),
			  .pid = pid,
			  .start_ns = pid * TICK_NS },
		.kind = kind,
		.where = where,
		.references = 1,
	};
}

static int decode(const struct abi_file_ref *file_ref, struct file_ref_record *ret)
{
	return file_refs_pass_decode(file_ref, sizeof(*file_ref), TARGETS, TICKS, ret);
}

/* --- decoding -------------------------------------------------------------------------------- */

TEST(a_record_is_decoded)
{
	struct abi_file_ref file_ref = record(ABI_FILE_REF_RING_FILE, 7, 99);
	struct file_ref_record r;

	file_ref.target = 1;
	file_ref.references = 3;
	assert_int_equal(decode(&file_ref, &r), 0);
	assert_int_equal(r.target, 1);
	assert_int_equal(r.kind, ABI_FILE_REF_RING_FILE);
	assert_int_equal(r.where, 99);
	assert_int_equal(r.references, 3);
	assert_int_equal(r.id.pid, 7);
	assert_int_equal(r.id.start_ticks, 7);
}

TEST(what_no_program_writes_is_refused)
{
	const struct abi_file_ref good = record(ABI_FILE_REF_FD, 7, 1);
	struct file_ref_record r;
	struct abi_file_ref bad[6];

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		bad[i] = good;
	bad[0].head.kind = ABI_HOLDER;
	bad[1].head.size--;
	bad[2].kind = 0;
	bad[3].kind = ABI_FILE_REF_MAPPING + 1;
	bad[4].target = TARGETS;
	bad[5].head.pid = 0; /* only a message in flight may be nobody's */
	assert_int_equal(decode(&good, &r), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(decode(&bad[i], &r), -EBADMSG);
	assert_int_equal(file_refs_pass_decode(&good, sizeof(good) - 1, TARGETS, TICKS, &r),
			 -EBADMSG);
}

TEST(hostile_records_are_refused_or_within_bounds)
{
	struct random_source random = random_start(__func__);
	struct file_ref_record r;
	struct abi_file_ref file_ref;

	for (int i = 0; i < 100000; i++) {
		file_ref = record(ABI_FILE_REF_FD, 7, 1);
		for (int flips = 0; flips < 3; flips++)
			((uint8_t *)&file_ref)[random_below(&random, sizeof(file_ref))] =
				(uint8_t)random_below(&random, 256);
		if (decode(&file_ref, &r))
			continue;
		assert_in_range(r.kind, ABI_FILE_REF_FD, ABI_FILE_REF_MAPPING);
		assert_in_range(r.target, 0, TARGETS - 1);
		assert_true(r.id.pid >= 0);
	}
}

/* A file that reads like a pass. */
static int stream(const struct abi_file_ref *file_refs, size_t bytes)
{
	int fd = memfd_create("grips", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, file_refs, bytes), bytes);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

TEST(a_pass_of_many_records_is_read_to_its_end)
{
	static struct abi_file_ref file_refs[5000];
	_cleanup_(file_ref_records_deinit) struct file_ref_records records = { 0 };
	_cleanup_close_ int fd = -1;

	for (size_t i = 0; i < ARRAY_SIZE(file_refs); i++)
		file_refs[i] = record(ABI_FILE_REF_FD, (uint32_t)i + 1, i);
	fd = stream(file_refs, sizeof(file_refs));
	assert_int_equal(file_refs_pass_read(fd, TARGETS, &records), 0);
	assert_int_equal(records.n, ARRAY_SIZE(file_refs));
	for (size_t i = 0; i < records.n; i++)
		assert_int_equal(records.records[i].where, i);
}

TEST(a_pass_that_ends_inside_a_record_is_refused)
{
	const struct abi_file_ref file_refs[2] = { record(ABI_FILE_REF_FD, 1, 1),
						   record(ABI_FILE_REF_FD, 2, 1) };
	_cleanup_(file_ref_records_deinit) struct file_ref_records records = { 0 };
	_cleanup_close_ int fd = stream(file_refs, sizeof(file_refs) - 1);

	assert_int_equal(file_refs_pass_read(fd, TARGETS, &records), -EBADMSG);
}

/* --- adding up ------------------------------------------------------------------------------- */

/* What these records say of one owner whose file has so many references. */
static struct file_ref add_up(const struct abi_file_ref *found, size_t n, uint32_t file_refs,
			      pid_t sleeper)
{
	const struct bind_owner owner = { .file_id = 1,
					  .file_refs = file_refs,
					  .sleeper = sleeper };
	_cleanup_(file_ref_records_deinit) struct file_ref_records records = { 0 };
	_cleanup_close_ int fd = stream(found, n * sizeof(*found));
	struct file_ref file_ref;

	assert_int_equal(file_refs_pass_read(fd, TARGETS, &records), 0);
	file_refs_add_up(&records, &owner, 1, &file_ref);
	return file_ref;
}

/* All of the file's references are found, of which so many are this process's. */
static void assert_found(const struct file_ref *file_ref, enum file_ref_kind kind, pid_t pid,
			 uint32_t references)
{
	assert_int_equal(file_ref->kind, kind);
	assert_int_equal(file_ref->process.pid, pid);
	assert_int_equal(file_ref->references, references);
	assert_true(file_ref->complete);
}

TEST(nothing_found_proves_nothing)
{
	struct file_ref file_ref = add_up(NULL, 0, 1, 0);

	assert_int_equal(file_ref.kind, FILE_REF_NONE);
	assert_false(file_ref.complete);
}

TEST(one_ring_of_two_processes_counts_once_and_is_the_older_ones)
{
	const struct abi_file_ref file_refs[] = { record(ABI_FILE_REF_RING_FILE, 9, 1),
						  record(ABI_FILE_REF_RING_FILE, 8, 1) };
	struct file_ref file_ref = add_up(file_refs, 2, 1, 0);

	assert_found(&file_ref, FILE_REF_IO_URING_FILE, 8, 1);
}

TEST(a_message_seen_twice_keeps_its_process)
{
	const struct abi_file_ref file_refs[] = { record(ABI_FILE_REF_IN_FLIGHT, 0, 1),
						  record(ABI_FILE_REF_IN_FLIGHT, 8, 1) };
	struct file_ref file_ref = add_up(file_refs, 2, 1, 0);

	assert_int_equal(file_ref.references, 1);
	assert_int_equal(file_ref.process.pid, 8);
}

TEST(what_explains_more_names_the_file_ref)
{
	struct abi_file_ref file_refs[] = { record(ABI_FILE_REF_FD, 3, 1),
					    record(ABI_FILE_REF_RING_FILE, 4, 2),
					    record(ABI_FILE_REF_MAPPING, 5, 3) };
	struct file_ref file_ref;

	file_refs[2].references = 2;
	file_ref = add_up(file_refs, 3, 4, 0);
	assert_found(&file_ref, FILE_REF_MMAP, 5, 3);
	assert_int_equal(file_ref.descriptors, 1);
	file_ref = add_up(file_refs, 3, 5, 0);
	assert_false(file_ref.complete);
}

TEST(a_thread_whose_process_has_the_socket_too_is_no_file_ref)
{
	const struct abi_file_ref file_refs[] = { record(ABI_FILE_REF_FD, 3, 1),
						  record(ABI_FILE_REF_THREAD_FD, 3, 2) };
	struct file_ref file_ref = add_up(file_refs, 2, 2, 0);

	assert_int_equal(file_ref.kind, FILE_REF_NONE);
	assert_int_equal(file_ref.descriptors, 2);
	assert_true(file_ref.complete);
	file_ref = add_up(file_refs + 1, 1, 1, 0);
	assert_int_equal(file_ref.kind, FILE_REF_THREAD);
	assert_int_equal(file_ref.process.pid, 3);
}

/* Any user has as many descriptors as his limit lets him, in a table of a thread's own, too. */
TEST(many_descriptors_of_a_thread_are_added_up_in_no_time)
{
	enum { EACH = 100 * 1000, MOST_MS = 2000 };
	_cleanup_free_ struct abi_file_ref *file_refs = calloc(2 * EACH, sizeof(*file_refs));
	struct file_ref file_ref;
	uint64_t began_us;

	assert_non_null(file_refs);
	for (uint32_t i = 0; i < EACH; i++) {
		file_refs[i] = record(ABI_FILE_REF_FD, 3, 1);
		file_refs[EACH + i] = record(ABI_FILE_REF_THREAD_FD, 4, 2);
		file_refs[i].fd = file_refs[EACH + i].fd = i;
	}
	began_us = clock_us(CLOCK_THREAD_CPUTIME_ID);
	file_ref = add_up(file_refs, 2 * EACH, 2 * EACH, 0);
	assert_true(clock_us(CLOCK_THREAD_CPUTIME_ID) - began_us < MOST_MS * 1000);
	assert_int_equal(file_ref.kind, FILE_REF_THREAD);
	assert_int_equal(file_ref.process.pid, 4);
}

TEST(threads_that_share_the_table_of_an_exited_leader_count_once)
{
	const struct abi_file_ref file_refs[] = { record(ABI_FILE_REF_ZOMBIE_FD, 3, 1),
						  record(ABI_FILE_REF_ZOMBIE_FD, 3, 1),
						  record(ABI_FILE_REF_ZOMBIE_FD, 3, 1) };
	struct file_ref file_ref = add_up(file_refs, 3, 1, 0);

	assert_int_equal(file_ref.kind, FILE_REF_ZOMBIE_LEADER);
	assert_int_equal(file_ref.descriptors, 1);
	assert_true(file_ref.complete);
}

TEST(a_sleeper_without_a_descriptor_is_the_file_ref)
{
	const struct abi_file_ref file_refs[] = { record(ABI_FILE_REF_FD, 3, 1) };
	struct file_ref file_ref = add_up(NULL, 0, 0, 3);

	assert_found(&file_ref, FILE_REF_SYSCALL, 3, 0);
	/* its call's reference counts where the walk did not know it for one */
	file_ref = add_up(NULL, 0, 1, 3);
	assert_found(&file_ref, FILE_REF_SYSCALL, 3, 1);
	file_ref = add_up(file_refs, 1, 1, 3);
	assert_int_equal(file_ref.kind, FILE_REF_NONE);
}

TEST(owners_get_their_own_records)
{
	const struct bind_owner owners[TARGETS] = { { .file_id = 1, .file_refs = 1 },
						    { .file_id = 2, .file_refs = 1 } };
	struct abi_file_ref file_refs[] = { record(ABI_FILE_REF_MAPPING, 3, 1),
					    record(ABI_FILE_REF_FD, 4, 1) };
	_cleanup_(file_ref_records_deinit) struct file_ref_records records = { 0 };
	_cleanup_close_ int fd = -1;
	struct file_ref ret[TARGETS];

	file_refs[0].target = 1;
	fd = stream(file_refs, sizeof(file_refs));
	assert_int_equal(file_refs_pass_read(fd, TARGETS, &records), 0);
	file_refs_add_up(&records, owners, TARGETS, ret);
	assert_int_equal(ret[0].kind, FILE_REF_NONE);
	assert_int_equal(ret[0].descriptors, 1);
	assert_int_equal(ret[1].kind, FILE_REF_MMAP);
	assert_true(ret[0].complete && ret[1].complete);
}

TEST_MAIN(NULL, NULL)
