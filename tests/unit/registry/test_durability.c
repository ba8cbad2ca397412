/* SPDX-License-Identifier: MIT */
/* What was committed is there, whatever happened: kill -9, a full disk, two daemons' worth of
 * claims.  Power loss itself cannot be tried here; that each commit waits for the disk is seen by
 * its fdatasync(). */
#include "unit/registry/fixture.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>

#define DEADLINE_MS 20000

/* --- kill -9 --- */

struct printed {
	uint32_t number; /* of the service */
	uint16_t port;
};

/* Claims one service after the other and tells each only after its commit, until it is killed. */
static void claim_until_killed(const char *path, int out)
{
	char error[256], id[32];
	struct registry *r = NULL;

	if (registry_open(path, &r, error, sizeof(error)) < 0)
		_exit(1);
	for (uint32_t i = 0;; i++) {
		struct claim_request request;
		struct claim_result result;
		struct printed printed = { .number = i };

		snprintf(id, sizeof(id), "kill:%u", i);
		request = fixture_request(id);
		if (registry_begin(r) < 0 ||
		    registry_claim(r, &request, NULL, NULL, &result) != 0 || registry_commit(r) < 0)
			_exit(2);
		printed.port = result.port;
		if (write(out, &printed, sizeof(printed)) != sizeof(printed))
			_exit(3);
	}
}

/* Reads what the child printed, kills it after `enough`, reads what was left in the pipe. */
static size_t collect(pid_t child, int in, struct printed *ret, size_t max, size_t enough)
{
	struct pollfd ready = { .fd = in, .events = POLLIN };
	size_t n = 0;

	while (n < max) {
		assert_int_equal(poll(&ready, 1, DEADLINE_MS), 1);
		if (read(in, &ret[n], sizeof(ret[n])) != sizeof(ret[n]))
			break;
		if (++n == enough)
			assert_int_equal(kill(child, SIGKILL), 0);
	}
	return n;
}

static void expect_printed(struct fixture *f, const struct printed *printed, size_t n)
{
	char id[32];

	for (size_t i = 0; i < n; i++) {
		snprintf(id, sizeof(id), "kill:%u", printed[i].number);
		assert_int_equal(fixture_service(f, id).service.port, printed[i].port);
	}
}

UNOPENED_TEST(every_printed_claim_survives_kill_9, struct fixture *f)
{
	static struct printed printed[6000];
	char detail[256];
	unsigned seed = fixture_seed();
	size_t n;

	srand(seed);
	for (int round = 0; round < 5; round++) {
		int pipes[2], status;
		pid_t child;

		assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
		child = fork();
		assert_true(child >= 0);
		if (child == 0)
			claim_until_killed(f->path, pipes[1]);
		close(pipes[1]);
		n = collect(child, pipes[0], printed, ARRAY_SIZE(printed), 20 + rand() % 100);
		close(pipes[0]);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		fixture_open(f);
		assert_true(n >= 20);
		expect_printed(f, printed, n);
		assert_int_equal(registry_check(f->registry, detail, sizeof(detail)), 0);
		fixture_close(f);
	}
}

/* Creating the file is not one step: killed anywhere in it, the next open makes it whole. */
UNOPENED_TEST(file_is_usable_after_kill_9_while_it_was_created, struct fixture *f)
{
	char error[256];

	for (int round = 0; round < 40; round++) {
		struct registry *r = NULL;
		int ready[2], status;
		char byte;
		pid_t child;

		assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
		child = fork();
		assert_true(child >= 0);
		if (child == 0) {
			if (write(ready[1], "", 1) != 1)
				_exit(1);
			_exit(registry_open(f->path, &r, error, sizeof(error)) < 0);
		}
		assert_int_equal(read(ready[0], &byte, 1), 1);
		for (volatile int spin = 0; spin < round * 20000; spin++)
			;
		kill(child, SIGKILL);
		assert_int_equal(waitpid(child, &status, 0), child);
		close(ready[0]);
		close(ready[1]);
		fixture_open(f);
		fixture_claim(f, "web", 5000);
		fixture_close(f);
		assert_int_equal(unlink(f->path), 0);
	}
}

/* --- a full disk --- */

#define CHECK(condition)                                                          \
	do {                                                                      \
		if (!(condition)) {                                               \
			fprintf(stderr, "# line %d: %s\n", __LINE__, #condition); \
			_exit(1);                                                 \
		}                                                                 \
	} while (0)

/* Fills the filesystem under directory with one file; its descriptor. */
static int fill_disk(const char *directory)
{
	static const char block[4096];
	char path[256];
	size_t size = sizeof(block);
	int fd;

	snprintf(path, sizeof(path), "%s/filler", directory);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	CHECK(fd >= 0);
	while (size > 0)
		if (write(fd, block, size) < 0)
			size /= 2;
	return fd;
}

static int claim_many(struct registry *r, const char *prefix, int n)
{
	int error = registry_begin(r);
	char id[32];

	for (int i = 0; i < n && error == 0; i++) {
		struct claim_request request;
		struct claim_result result;

		snprintf(id, sizeof(id), "%s:%d", prefix, i);
		request = fixture_request(id);
		request.range = (struct port_range){ 1, 65535 };
		error = registry_claim(r, &request, NULL, NULL, &result);
	}
	if (error < 0) {
		/* the batch answers with the same error, if it was lost, and ends in any case */
		int committed = registry_commit(r);

		return committed < 0 ? committed : error;
	}
	return registry_commit(r);
}

static bool count_service(const struct service *service, void *user_data)
{
	(*(int *)user_data)++;
	return true;
}

static int count_pattern(struct registry *r, const char *pattern)
{
	struct service_filter filter = { .pattern = pattern, .status = -1 };
	int n = 0;

	if (registry_for_each_service(r, &filter, count_service, &n) < 0)
		return -1;
	return n;
}

/* In a child with a mount namespace of its own, where directory is a tmpfs of 1 MiB. */
static void on_a_small_disk(struct fixture *f, void (*body)(struct fixture *f))
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		if (unshare(CLONE_NEWNS) < 0 ||
		    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		    mount("tmpfs", f->directory, "tmpfs", 0, "size=1m") < 0)
			_exit(77);
		body(f);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		print_message("# mounting needs root\n");
		skip();
	}
	assert_int_equal(status, 0);
}

/* A test there, with CHECK() in place of what asserts. */
#define SMALL_DISK_TEST(name)                        \
	static void name##_there(struct fixture *f); \
	UNOPENED_TEST(name, struct fixture *f)       \
	{                                            \
		on_a_small_disk(f, name##_there);    \
	}                                            \
	static void name##_there(struct fixture *f)

static struct registry *open_there(struct fixture *f)
{
	struct registry *r = NULL;

	CHECK(registry_open(f->path, &r, f->error, sizeof(f->error)) == 0);
	return r;
}

/* Claims whose pages fit the cache, but not what the small disk has left for the log. */
#define MORE_THAN_ROOM 1000

SMALL_DISK_TEST(full_disk_undoes_the_batch_and_nothing_else)
{
	struct registry *r = open_there(f);
	int filler;

	CHECK(claim_many(r, "before", 3) == 0);
	filler = fill_disk(f->directory);
	CHECK(claim_many(r, "full", MORE_THAN_ROOM) == -ENOSPC);
	CHECK(!registry_in_batch(r));
	CHECK(count_pattern(r, "before:*") == 3);
	CHECK(count_pattern(r, "full:*") == 0);
	CHECK(claim_many(r, "full", MORE_THAN_ROOM) == -ENOSPC);
	CHECK(ftruncate(filler, 0) == 0);
	CHECK(claim_many(r, "full", 20) == 0);
	CHECK(count_pattern(r, "full:*") == 20);
	registry_close(r);
}

/* More changed pages than the cache holds: the disk is met inside of a claim, not at the commit. */
SMALL_DISK_TEST(full_disk_inside_of_a_batch_undoes_it_as_a_whole)
{
	struct registry *r = open_there(f);
	struct activity entry = { .action = ACTIVITY_GAP, .timestamp = 1 };
	char detail[128];
	int filler;

	CHECK(claim_many(r, "before", 3) == 0);
	filler = fill_disk(f->directory);
	CHECK(claim_many(r, "full", 40000) == -ENOSPC);
	CHECK(count_pattern(r, "*") == 3);
	CHECK(ftruncate(filler, 0) == 0);
	CHECK(registry_begin(r) == 0);
	CHECK(registry_log(r, &entry, NULL) == 0);
	CHECK(registry_commit(r) == 0);
	CHECK(claim_many(r, "after", 10) == 0);
	CHECK(registry_check(r, detail, sizeof(detail)) == 0);
	registry_close(r);
	r = open_there(f);
	CHECK(count_pattern(r, "*") == 13);
	registry_close(r);
}

SMALL_DISK_TEST(batch_that_was_undone_takes_no_more_writes)
{
	struct registry *r = open_there(f);
	struct activity entry = { .action = ACTIVITY_GAP, .timestamp = 1 };
	int error = 0;

	fill_disk(f->directory);
	CHECK(registry_begin(r) == 0);
	while (error == 0)
		error = registry_log(r, &entry, NULL);
	CHECK(error == -ENOSPC);
	CHECK(registry_in_batch(r));
	CHECK(registry_log(r, &entry, NULL) == -ENOSPC);
	CHECK(registry_mark_alive(r, 5) == -ENOSPC);
	CHECK(registry_begin(r) == -ENOSPC);
	CHECK(registry_commit(r) == -ENOSPC);
	CHECK(!registry_in_batch(r));
	registry_close(r);
}

SMALL_DISK_TEST(database_is_created_once_there_is_space)
{
	struct registry *r = NULL;
	int filler = fill_disk(f->directory);

	CHECK(registry_open(f->path, &r, f->error, sizeof(f->error)) == -ENOSPC);
	CHECK(strstr(f->error, f->path));
	CHECK(ftruncate(filler, 0) == 0);
	r = open_there(f);
	CHECK(claim_many(r, "after", 3) == 0);
	registry_close(r);
}

SMALL_DISK_TEST(read_only_filesystem_is_refused_and_named)
{
	struct registry *r = open_there(f);

	registry_close(r);
	r = NULL;
	CHECK(mount(NULL, f->directory, NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0);
	CHECK(registry_open(f->path, &r, f->error, sizeof(f->error)) == -EROFS);
	CHECK(strstr(f->error, f->directory));
}

/* --- several writers --- */

#define WRITERS		  4
#define CLAIMS_PER_WRITER 50

static int claim_as_writer(const char *path, int writer)
{
	static const struct port_range range = { 4000, 4000 + WRITERS * CLAIMS_PER_WRITER - 1 };
	char error[256], id[32];
	struct registry *r = NULL;
	int failed = registry_open(path, &r, error, sizeof(error));

	for (int i = 0; i < CLAIMS_PER_WRITER && failed == 0; i++) {
		struct claim_request request;
		struct claim_result result;

		snprintf(id, sizeof(id), "w%d:%d", writer, i);
		request = fixture_request(id);
		request.range = range;
		do
			failed = registry_begin(r);
		while (failed == -EBUSY);
		if (failed == 0)
			failed = registry_claim(r, &request, NULL, NULL, &result);
		if (failed == 0)
			failed = registry_commit(r);
	}
	registry_close(r);
	return failed != 0;
}

/* Exactly as many ports as claims: one given twice, or one lost, would leave somebody without. */
TEST_WITH(writers_of_several_processes_share_a_range_without_loss, struct fixture *f)
{
	pid_t children[WRITERS];
	int status;

	fixture_close(f);
	for (int i = 0; i < WRITERS; i++) {
		children[i] = fork();
		assert_true(children[i] >= 0);
		if (children[i] == 0)
			_exit(claim_as_writer(f->path, i));
	}
	for (int i = 0; i < WRITERS; i++) {
		assert_int_equal(waitpid(children[i], &status, 0), children[i]);
		assert_int_equal(status, 0);
	}
	fixture_open(f);
	fixture_expect(f, "SELECT count(DISTINCT port) FROM services", "200");
}

TEST_WITH(log_grows_until_a_checkpoint_and_then_begins_anew, struct fixture *f)
{
	char id[32];

	/* some twelve pages each: more than a checkpoint waits for */
	for (int i = 0; i < 200; i++) {
		snprintf(id, sizeof(id), "room:n%d", i);
		fixture_claim(f, id, 0);
	}
	assert_in_range(fixture_log_bytes(f), 1000 * 4096, 5 * 1024 * 1024);
}

EACH_TEST_MAIN(fixture_setup, fixture_teardown)
