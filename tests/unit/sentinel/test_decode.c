/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "bpf/abi.h"
#include "sentinel/decode.h"
#include "testing.h"
#include "unit/random.h"

#define TICKS  100
#define ROUNDS 200000

static void fill_head(struct abi_head *head, uint16_t kind, size_t size)
{
	*head = (struct abi_head){
		.kind = kind,
		.size = (uint16_t)size,
		.pid = 4711,
		.boot_ns = 9000000001,
		.start_ns = 1239999999,
		.cgroup_id = 77,
		.uid = 1000,
		.comm = "server",
	};
}

static struct abi_socket_event socket_event(uint16_t kind)
{
	struct abi_socket_event e = {
		.socket = { .cookie = 12,
			    .inode = 34,
			    .netns = 4026531833U,
			    .protocol = IPPROTO_TCP,
			    .port = 3100,
			    .family = AF_INET,
			    .addr = { 127, 0, 0, 1 } },
	};

	fill_head(&e.head, kind, sizeof(e));
	return e;
}

static struct abi_owner owner(uint64_t cookie)
{
	return (struct abi_owner){
		.cookie = cookie,
		.inode = 35,
		.uid = 1001,
		.file_refs = 2,
		.flags = ABI_OWNER_PORT_LOCK | ABI_OWNER_MPTCP,
		.protocol = IPPROTO_TCP,
		.family = AF_INET6,
		.tcp_state = 10, /* TCP_LISTEN */
		.v6only = 1,
		.reuseport = 1,
		.addr = { [15] = 1 },
	};
}

static struct abi_failure refusal(void)
{
	struct abi_failure f = {
		.socket = socket_event(ABI_FAIL).socket,
		.error = EADDRINUSE,
		.call = ABI_CALL_LISTEN,
		.n_owners = 2,
		.owners = { owner(100), owner(101) },
	};

	fill_head(&f.head, ABI_FAIL, sizeof(f));
	return f;
}

static void set_path(char *path, uint16_t *len, const char *names, size_t size)
{
	memcpy(path, names, size);
	*len = (uint16_t)size;
}

/* The literal's own NUL ends the last component. */
#define SET_PATH(e, which, names) set_path((e)->which, &(e)->which##_len, names, sizeof(names))

static struct abi_process_event process_event(void)
{
	struct abi_process_event e = {
		.ppid = 12,
		.sid = 11,
		.n_ancestors = 2,
		.ancestors = { { 1230000000, 12, 0, "bash" }, { 10000000, 1, 0, "init" } },
	};

	fill_head(&e.head, ABI_PROCESS, sizeof(e));
	SET_PATH(&e, exe, "node\0bin\0usr");
	SET_PATH(&e, cwd, "web\0src");
	return e;
}

static int decode(const void *bytes, size_t size, struct event *ret)
{
	return decode_event(bytes, size, TICKS, ret);
}

/* What a good record, changed like that, is decoded to. */
#define DECODED(make, ...)                                                       \
	({                                                                       \
		__typeof__(make) record = make;                                  \
		struct event decoded_;                                           \
                                                                                 \
		__VA_ARGS__;                                                     \
		assert_int_equal(decode(&record, sizeof(record), &decoded_), 0); \
		decoded_;                                                        \
	})

TEST(socket_events_keep_every_field)
{
	static const struct {
		uint16_t abi;
		enum event_kind kind;
	} kinds[] = { { ABI_BIND, EVENT_BIND },
		      { ABI_LISTEN, EVENT_LISTEN },
		      { ABI_UNLISTEN, EVENT_UNLISTEN },
		      { ABI_CLOSE, EVENT_CLOSE } };

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct event e = DECODED(socket_event(kinds[i].abi));

		assert_int_equal(e.kind, kinds[i].kind);
		assert_int_equal(e.actor.pid, 4711);
		assert_int_equal(e.boot_ns, 9000000001);
		assert_int_equal(e.uid, 1000);
		assert_int_equal(e.cgroup_id, 77);
		assert_string_equal(e.comm, "server");
		assert_int_equal(e.cookie, 12);
		assert_int_equal(e.inode, 34);
		assert_int_equal(e.netns, 4026531833U);
		assert_int_equal(e.protocol, IPPROTO_TCP);
		assert_int_equal(e.family, AF_INET);
		assert_int_equal(e.port, 3100);
		assert_memory_equal(e.addr.bytes, "\x7f\0\0\1", 4);
		assert_int_equal(e.error, 0);
		assert_int_equal(e.call, EVENT_CALL_NONE);
	}
}

TEST(start_time_is_in_whole_ticks_as_proc_shows_it)
{
	assert_int_equal(DECODED(socket_event(ABI_BIND)).actor.start_ticks, 123);
}

TEST(refusal_tells_call_and_errno)
{
	struct event e = DECODED(refusal());

	assert_int_equal(e.kind, EVENT_FAIL);
	assert_int_equal(e.call, EVENT_CALL_LISTEN);
	assert_int_equal(e.error, EADDRINUSE);
	assert_int_equal(e.actor.pid, 4711);
	assert_int_equal(e.port, 3100);
	assert_false(e.no_entry);
}

TEST(refusal_tells_the_callers_socket_as_it_was)
{
	struct abi_failure record = refusal();
	struct event e;

	record.no_entry = 1;
	record.bound_port = 3101;
	record.arguments = (struct abi_arguments){ .hash = 0x1234567890abcdef, .bytes = 27 };
	record.rights = ABI_RIGHTS_KNOWN | ABI_RIGHTS_ADMIN | ABI_RIGHTS_OWN_USERNS;
	record.socket.v6only = 1;
	record.socket.reuse = ABI_REUSEPORT;
	record.socket.sk_uid = 1002;
	record.socket.dev = 3;
	assert_int_equal(decode(&record, sizeof(record), &e), 0);
	assert_true(e.no_entry);
	assert_int_equal(e.bound_port, 3101);
	assert_int_equal(e.arguments.hash, 0x1234567890abcdef);
	assert_int_equal(e.arguments.bytes, 27);
	assert_true(e.rights.known && e.rights.may_admin && e.rights.own_userns);
	assert_false(e.rights.may_bind_low || e.rights.seccomp || e.rights.no_new_privs);
	assert_true(e.v6only);
	assert_false(e.reuseaddr);
	assert_true(e.reuseport);
	assert_int_equal(e.sk_uid, 1002);
	assert_int_equal(e.dev, 3);
}

TEST(refused_bind_tells_what_was_asked_and_what_programs_made_of_it)
{
	struct abi_failure record = refusal();
	struct event e;

	record.call = ABI_CALL_BIND;
	record.stage = ABI_STAGE_PASSED;
	record.program_cgroup = 4242;
	record.asked_family = AF_INET;
	record.asked_port = 3000;
	memcpy(record.asked_addr, "\x7f\0\0\2", 4);
	assert_int_equal(decode(&record, sizeof(record), &e), 0);
	assert_int_equal(e.stage, EVENT_STAGE_PASSED);
	assert_int_equal(e.program_cgroup_id, 4242);
	assert_int_equal(e.port, 3000);
	assert_memory_equal(e.addr.bytes, "\x7f\0\0\2", 4);
	assert_int_equal(e.given_port, 3100);
	assert_memory_equal(e.given_addr.bytes, "\x7f\0\0\1", 4);
	assert_true(event_is_rewritten(&e));
	record.stage = ABI_STAGE_DENIED; /* then the kernel never looked at it */
	assert_int_equal(decode(&record, sizeof(record), &e), 0);
	assert_false(event_is_rewritten(&e));
	record.asked_family = AF_INET6;
	assert_int_equal(decode(&record, sizeof(record), &e), -EBADMSG);
	record.asked_family = AF_INET;
	record.stage = ABI_STAGE_PROTECTED + 1;
	assert_int_equal(decode(&record, sizeof(record), &e), -EBADMSG);
}

TEST(refused_bind_of_a_hardcoded_port_is_about_the_one_that_it_was_given)
{
	struct abi_failure record = refusal();
	struct event e;

	record.call = ABI_CALL_BIND;
	record.stage = ABI_STAGE_PASSED;
	record.rule = ABI_RULE_HARDCODED;
	record.asked_family = AF_INET;
	record.asked_port = 3000;
	memcpy(record.asked_addr, record.socket.addr, sizeof(record.asked_addr));
	assert_int_equal(decode(&record, sizeof(record), &e), 0);
	assert_int_equal(e.port, 3100);
	assert_int_equal(e.asked_port, 3000);
	assert_false(event_is_rewritten(&e));
}

TEST(reuseport_group_with_closed_members_keeps_nobody_from_sharing)
{
	assert_true(DECODED(refusal(), record.in_group = 1).has_program);
	assert_false(DECODED(refusal(), record.in_group = record.group_closed = 1).has_program);
}

TEST(refusal_keeps_the_owners_in_their_order)
{
	struct event e = DECODED(refusal(), record.more = 1);

	assert_int_equal(e.n_owners, 2);
	assert_true(e.more_owners);
	assert_int_equal(e.owners[0].cookie, 100);
	assert_int_equal(e.owners[0].inode, 35);
	assert_int_equal(e.owners[0].uid, 1001);
	assert_int_equal(e.owners[0].state, SOCKET_LISTEN);
	assert_int_equal(e.owners[0].file_refs, 2);
	assert_true(e.owners[0].v6only);
	assert_true(e.owners[0].reuseport);
	assert_false(e.owners[0].reuseaddr);
	assert_true(e.owners[0].port_asked);
	assert_true(e.owners[0].mptcp);
	assert_int_equal(e.owners[0].addr.bytes[15], 1);
	assert_int_equal(e.owners[1].cookie, 101);
}

TEST(owner_that_was_freed_under_the_walk_is_left_out)
{
	struct event e = DECODED(refusal(), record.owners[0].family = 0);

	assert_int_equal(e.n_owners, 1);
	assert_int_equal(e.owners[0].cookie, 101);
}

TEST(bytes_after_an_ipv4_address_are_zero)
{
	static const uint8_t zeroes[12];
	struct event e = DECODED(socket_event(ABI_BIND),
				 memset(record.socket.addr, 0xAA, sizeof(record.socket.addr)));

	assert_memory_equal(e.addr.bytes + 4, zeroes, sizeof(zeroes));
}

TEST(task_events_name_child_and_exit_code)
{
	struct abi_task_event record = { .child_pid = 4712,
					 .child_start_ns = 5000000000,
					 .exit_code = 7 << 8 };
	struct event e;

	fill_head(&record.head, ABI_FORK, sizeof(record));
	assert_int_equal(decode(&record, sizeof(record), &e), 0);
	assert_int_equal(e.kind, EVENT_FORK);
	assert_int_equal(e.child.pid, 4712);
	assert_int_equal(e.child.start_ticks, 500);
	record.head.kind = ABI_EXIT;
	assert_int_equal(decode(&record, sizeof(record), &e), 0);
	assert_int_equal(e.kind, EVENT_EXIT);
	assert_int_equal(e.exit_code, 7 << 8);
}

TEST(process_has_paths_from_the_root_and_ancestors_nearest_first)
{
	struct event e = DECODED(process_event());

	assert_int_equal(e.kind, EVENT_PROCESS);
	assert_true(process_id_equal(&e.process.id, &e.actor));
	assert_int_equal(e.process.uid, 1000);
	assert_int_equal(e.process.ppid, 12);
	assert_int_equal(e.process.sid, 11);
	assert_int_equal(e.process.cgroup_id, 77);
	assert_string_equal(e.process.comm, "server");
	assert_string_equal(e.process.exe, "/usr/bin/node");
	assert_string_equal(e.process.cwd, "/src/web");
	assert_int_equal(e.process.n_ancestors, 2);
	assert_int_equal(e.process.ancestors[0].id.pid, 12);
	assert_int_equal(e.process.ancestors[0].id.start_ticks, 123);
	assert_string_equal(e.process.ancestors[1].comm, "init");
}

TEST(path_without_components_is_the_root)
{
	assert_string_equal(DECODED(process_event(), record.cwd_len = 0).process.cwd, "/");
}

TEST(empty_component_alone_is_an_unknown_path)
{
	assert_string_equal(DECODED(process_event(), SET_PATH(&record, exe, "")).process.exe, "");
}

TEST(cut_path_says_so_in_front)
{
	assert_string_equal(DECODED(process_event(), record.cwd_cut = 1).process.cwd,
			    "\xe2\x80\xa6/src/web");
}

TEST(longest_path_keeps_its_end)
{
	struct abi_process_event record = process_event();
	struct event e;
	size_t n;

	memset(record.cwd, 'x', sizeof(record.cwd));
	memcpy(record.cwd, "leaf", 5);
	for (size_t i = 99; i < sizeof(record.cwd); i += 100)
		record.cwd[i] = '\0';
	record.cwd[sizeof(record.cwd) - 1] = '\0';
	record.cwd_len = sizeof(record.cwd);
	assert_int_equal(decode(&record, sizeof(record), &e), 0);
	n = strlen(e.process.cwd);
	assert_true(n < sizeof(e.process.cwd));
	assert_string_equal(e.process.cwd + n - 5, "/leaf");
	assert_memory_equal(e.process.cwd, "\xe2\x80\xa6/", 4);
}

TEST(name_without_terminator_is_cut)
{
	struct event e = DECODED(socket_event(ABI_BIND),
				 memset(record.head.comm, 'a', sizeof(record.head.comm)));

	assert_int_equal(strlen(e.comm), PROCESS_COMM_SIZE - 1);
}

TEST(wrong_sizes_are_refused)
{
	struct abi_failure record = refusal();
	struct event e;

	for (size_t size = 0; size < sizeof(record); size++)
		assert_int_equal(decode(&record, size, &e), -EBADMSG);
	record.head.size--;
	assert_int_equal(decode(&record, sizeof(record), &e), -EBADMSG);
	assert_int_equal(decode(&record, sizeof(record) - 1, &e), -EBADMSG);
}

TEST(kinds_that_the_ring_never_carries_are_refused)
{
	static const uint16_t kinds[] = { 0, ABI_HOLDER, ABI_HOLDER + 1, 255, 65535 };
	struct abi_socket_event record = socket_event(ABI_BIND);
	struct event e;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		record.head.kind = kinds[i];
		assert_int_equal(decode(&record, sizeof(record), &e), -EBADMSG);
	}
}

/* One byte or word of a good record made impossible, and the record is refused. */
#define REFUSED(make, field, value)                                                 \
	do {                                                                        \
		__typeof__(make) record_ = make;                                    \
		struct event e_ = { .port = 1 };                                    \
		record_.field = (value);                                            \
		assert_int_equal(decode(&record_, sizeof(record_), &e_), -EBADMSG); \
		assert_int_equal(e_.port, 1);                                       \
	} while (0)

TEST(values_that_no_program_sends_are_refused)
{
	REFUSED(socket_event(ABI_BIND), socket.family, AF_UNIX);
	REFUSED(socket_event(ABI_BIND), socket.family, 0);
	REFUSED(socket_event(ABI_BIND), socket.protocol, IPPROTO_ICMP);
	REFUSED(refusal(), error, 0);
	REFUSED(refusal(), error, -EADDRINUSE);
	REFUSED(refusal(), error, 4096);
	REFUSED(refusal(), call, 0);
	REFUSED(refusal(), call, ABI_CALL_LISTEN + 1);
	REFUSED(refusal(), n_owners, ABI_FAILURE_OWNERS + 1);
	REFUSED(refusal(), n_owners, UINT16_MAX);
	REFUSED(refusal(), socket.family, AF_UNIX);
	REFUSED(refusal(), socket.protocol, IPPROTO_ICMP);
	REFUSED(process_event(), n_ancestors, ABI_ANCESTORS_MAX + 1);
	REFUSED(process_event(), exe_len, ABI_PATH_SIZE + 1);
	REFUSED(process_event(), cwd_len, 3);	/* not at a component's end */
	REFUSED(process_event(), cwd[0], '\0'); /* unknown, and yet more follows */
}

TEST(clock_without_ticks_is_refused)
{
	struct abi_socket_event record = socket_event(ABI_BIND);
	struct event e;

	assert_int_equal(decode_event(&record, sizeof(record), 0, &e), -EBADMSG);
	assert_int_equal(decode_event(&record, sizeof(record), UINT64_MAX, &e), -EBADMSG);
}

static void assert_sane(const struct event *e)
{
	assert_in_range(e->kind, EVENT_PROCESS, _EVENT_KIND_MAX - 1);
	assert_true(strlen(e->comm) < sizeof(e->comm));
	assert_true(strlen(e->process.exe) < sizeof(e->process.exe));
	assert_true(strlen(e->process.cwd) < sizeof(e->process.cwd));
	assert_in_range(e->n_owners, 0, EVENT_OWNERS_MAX);
	assert_in_range(e->process.n_ancestors, 0, PROCESS_ANCESTORS_MAX);
	for (int i = 0; i < e->process.n_ancestors; i++)
		assert_true(strlen(e->process.ancestors[i].comm) < PROCESS_COMM_SIZE);
}

/* The bytes end where the heap block ends: a read past them is seen by the sanitizer. */
TEST(random_bytes_are_refused_or_decoded_within_bounds)
{
	struct random_source r = random_start("decode");
	static const size_t sizes[] = { sizeof(struct abi_socket_event),
					sizeof(struct abi_task_event),
					sizeof(struct abi_process_event),
					sizeof(struct abi_failure) };

	for (int i = 0; i < ROUNDS; i++) {
		size_t size = random_below(&r, 4) ? sizes[random_below(&r, ARRAY_SIZE(sizes))]
						  : random_below(&r, 1500);
		char *bytes = malloc(size ? size : 1);
		struct abi_head head;
		struct event e;

		assert_non_null(bytes);
		for (size_t k = 0; k < size; k++)
			bytes[k] = (char)(random_below(&r, 4) ? random_u64(&r) : 0);
		if (size >= sizeof(head)) {
			memcpy(&head, bytes, sizeof(head));
			head.kind = (uint16_t)random_below(&r, ABI_HOLDER + 2);
			head.size = (uint16_t)size;
			memcpy(bytes, &head, sizeof(head));
		}
		if (decode(bytes, size, &e) == 0)
			assert_sane(&e);
		free(bytes);
	}
}

/* Good records with a few bytes changed get further into the decoder than noise does. */
TEST(damaged_records_are_refused_or_decoded_within_bounds)
{
	struct random_source r = random_start("damage");

	for (int i = 0; i < ROUNDS; i++) {
		struct abi_process_event process = process_event();
		struct abi_failure failure = refusal();
		bool which = random_below(&r, 2);
		size_t size = which ? sizeof(process) : sizeof(failure);
		char *bytes = malloc(size);
		struct event e;

		assert_non_null(bytes);
		memcpy(bytes, which ? (void *)&process : (void *)&failure, size);
		for (unsigned k = 0; k <= random_below(&r, 8); k++)
			bytes[random_below(&r, (unsigned)size)] = (char)random_u64(&r);
		if (decode(bytes, size, &e) == 0)
			assert_sane(&e);
		free(bytes);
	}
}

TEST_MAIN(NULL, NULL)
