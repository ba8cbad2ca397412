/* SPDX-License-Identifier: MIT */
/* The decoder of the full pass, and the reader around it. */
#include "inventory/holders_pass.h"
#include "testing.h"
#include "unit/inventory/fake.h"
#include "unit/random.h"

#define TICKS 100

static const struct fake_fd server = { FAKE_PID, 1234, 10, 1010, 3, 2 };

static struct abi_holder holder(void)
{
	struct fake fake = { .n_fds = 0 };

	return fake_holder(&fake, &server);
}

static int decode(const void *bytes, size_t size, struct pass_record *ret, size_t *ret_used)
{
	return holders_pass_decode(bytes, size, TICKS, ret, ret_used);
}

/* Of a record that is good and whole. */
static struct pass_record decoded(const void *bytes, size_t size)
{
	struct pass_record r;
	size_t used;

	assert_int_equal(decode(bytes, size, &r, &used), 0);
	assert_int_equal(used, size);
	return r;
}

TEST(a_holder_is_decoded)
{
	struct abi_holder h = holder();
	struct pass_record r;

	h.head.start_ns = 12349999999;
	h.socket.v6only = 1;
	r = decoded(&h, sizeof(h));
	assert_int_equal(r.kind, PASS_HOLDER);
	assert_int_equal(r.holder.id.pid, FAKE_PID);
	assert_int_equal(r.holder.id.start_ticks, 1234);
	assert_int_equal(r.holder.cookie, 10);
	assert_int_equal(r.holder.fd, 3);
	assert_int_equal(r.holder.file_refs, 2);
	assert_int_equal(r.holder.state, SOCKET_LISTEN);
	assert_true(r.holder.v6only);
}

TEST(a_process_is_decoded_with_its_paths)
{
	struct abi_process_event p = fake_process(&server);
	struct pass_record r = decoded(&p, sizeof(p));

	assert_int_equal(r.kind, PASS_PROCESS);
	assert_string_equal(r.process.exe, "/usr/bin/server");
	assert_string_equal(r.process.cwd, "/home/app");
	assert_int_equal(r.process.sid, 77);
}

static void check_path(const char *names, size_t size, bool cut, const char *expected)
{
	struct abi_process_event p = fake_process(&server);

	memcpy(p.cwd, names, size);
	p.cwd_len = (uint16_t)size;
	p.cwd_cut = cut;
	assert_string_equal(decoded(&p, sizeof(p)).process.cwd, expected);
}

TEST(paths_are_put_together_from_the_leaf)
{
	check_path("", 0, false, "/");
	check_path("\0", 1, false, "");
	check_path("tmp", 4, false, "/tmp");
	check_path("b\0a", 4, true, "\xE2\x80\xA6/a/b");
	check_path("b\0a", 4, false, "/a/b");
}

TEST(a_path_that_does_not_fit_keeps_its_end)
{
	char names[ABI_PATH_SIZE];
	struct abi_process_event p = fake_process(&server);
	struct pass_record r;

	memset(names, 'x', sizeof(names));
	for (size_t i = 0; i < sizeof(names); i += 2)
		names[i + 1] = '\0';
	memcpy(p.cwd, names, sizeof(names));
	p.cwd_len = sizeof(p.cwd);
	r = decoded(&p, sizeof(p));
	assert_true(strlen(r.process.cwd) < PROCESS_PATH_SIZE);
	assert_memory_equal(r.process.cwd + strlen(r.process.cwd) - 4, "/x/x", 4);
}

TEST(what_no_program_of_ours_writes_is_refused)
{
	struct abi_holder h = holder();
	struct abi_process_event p = fake_process(&server);
	struct pass_record r;
	size_t used;

#define REFUSED(record, change)                                                     \
	do {                                                                        \
		__typeof__(record) bad_ = (record);                                 \
		bad_.change;                                                        \
		assert_int_equal(decode(&bad_, sizeof(bad_), &r, &used), -EBADMSG); \
	} while (0)
	REFUSED(h, head.kind = ABI_BIND);
	REFUSED(h, head.kind = 0);
	REFUSED(h, head.size = 56);
	REFUSED(h, head.size = 0);
	REFUSED(h, head.pid = 0);
	REFUSED(h, head.pid = UINT32_MAX);
	REFUSED(h, socket.family = AF_UNIX);
	REFUSED(h, socket.cookie = 0);
	REFUSED(h, fd = UINT32_MAX);
	REFUSED(p, exe_len = ABI_PATH_SIZE + 1);
	REFUSED(p, cwd_len = UINT16_MAX);
	REFUSED(p, n_ancestors = ABI_ANCESTORS_MAX + 1);
}

TEST(an_incomplete_record_asks_for_more)
{
	struct abi_holder h = holder();
	struct pass_record r;

	for (size_t size = 0; size < sizeof(h); size++) {
		size_t used = 1;

		assert_int_equal(decode(&h, size, &r, &used), 0);
		assert_int_equal(used, 0);
	}
}

TEST(names_are_always_terminated)
{
	struct abi_holder h = holder();

	memset(h.head.comm, 'x', sizeof(h.head.comm));
	assert_int_equal(strlen(decoded(&h, sizeof(h)).holder.comm), PROCESS_COMM_SIZE - 1);
}

/* Bytes at random, mostly behind a head that gets past the first checks. */
TEST(random_bytes_never_lead_out_of_bounds)
{
	struct random_source random = random_start(__func__);
	struct pass_record r;
	size_t used;

	for (int i = 0; i < 100000; i++) {
		size_t size = random_below(&random, sizeof(struct abi_process_event) + 8);
		_cleanup_free_ uint8_t *bytes = malloc(size ? size : 1);
		struct abi_head head = { .kind = ABI_PROCESS,
					 .size = sizeof(struct abi_process_event),
					 .pid = 1 };

		for (size_t j = 0; j < size; j++)
			bytes[j] = (uint8_t)(random_below(&random, 4) ? random_u64(&random) : 0);
		if (i % 2) {
			head.kind = ABI_HOLDER;
			head.size = sizeof(struct abi_holder);
		}
		if (i % 8 && size >= sizeof(head))
			memcpy(bytes, &head, sizeof(head));
		if (decode(bytes, size, &r, &used) || used == 0)
			continue;
		assert_true(used <= size);
		if (r.kind != PASS_PROCESS)
			continue;
		assert_true(strnlen(r.process.exe, sizeof(r.process.exe)) < PROCESS_PATH_SIZE);
		assert_true(strnlen(r.process.cwd, sizeof(r.process.cwd)) < PROCESS_PATH_SIZE);
		assert_true(r.process.n_ancestors <= PROCESS_ANCESTORS_MAX);
	}
}

/* --- the reader --- */

static int count(const struct pass_record *record, void *user_data)
{
	++*(unsigned *)user_data;
	return 0;
}

static int stop(const struct pass_record *record, void *user_data)
{
	return -ECANCELED;
}

static int stream_of(unsigned n, size_t cut)
{
	struct abi_holder h = holder();
	int fd = memfd_create("pass", MFD_CLOEXEC);

	for (unsigned i = 0; i < n; i++)
		assert_int_equal(write(fd, &h, sizeof(h)), sizeof(h));
	assert_int_equal(ftruncate(fd, (off_t)(n * sizeof(h) - cut)), 0);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static int read_all(int fd, holders_pass_visit visit, void *user_data)
{
	struct holders_pass *pass;
	bool more = true;
	int r = holders_pass_open(fd, &pass);

	assert_int_equal(r, 0);
	while (!r && more)
		r = holders_pass_next(pass, visit, user_data, &more);
	holders_pass_close(pass);
	return r;
}

TEST(a_stream_longer_than_the_buffer_is_read_whole)
{
	unsigned n = 0;

	assert_int_equal(read_all(stream_of(5001, 0), count, &n), 0);
	assert_int_equal(n, 5001);
}

TEST(a_stream_that_ends_inside_a_record_is_refused)
{
	unsigned n = 0;

	assert_int_equal(read_all(stream_of(3, 1), count, &n), -EBADMSG);
	assert_int_equal(n, 2);
}

TEST(an_empty_stream_is_no_fault)
{
	assert_int_equal(read_all(stream_of(0, 0), stop, NULL), 0);
}

TEST(the_visitors_error_ends_the_pass)
{
	assert_int_equal(read_all(stream_of(3, 0), stop, NULL), -ECANCELED);
}

TEST_MAIN(NULL, NULL)
