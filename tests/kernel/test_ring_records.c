/* SPDX-License-Identifier: MIT */
/*
 * Records of any bytes in the real ring: a program beside ours writes them between those of the
 * kernel's own events.  What is none is counted and does no harm; the table hangs together all the
 * time, and is the kernel's again once it has been read anew.
 */
#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <sys/mman.h>
#include <time.h>

#include "base/clock.h"
#include "bpf/abi.h"
#include "kernel/asker.h"
#include "sentinel/decode.h"
#include "unit/inventory/netns.h"
#include "unit/inventory/sound_table.h"
#include "unit/random.h"

#define RECORDS	    20000 /* unless PD_RECORDS says another number */
#define BATCH	    16
#define DESCRIPTORS 256 /* of this process, at most */
#define TICKS_PER_S 100
#define COOKIES	    64
#define COOKIE	    (UINT64_C(1) << 63) /* the first of those that no socket has */
#define BYTES_MAX   2047		/* of a record; a power of two less one */

/* What the program reads: so many bytes, and the bytes. */
struct order_to_write {
	uint64_t size;
	uint8_t bytes[BYTES_MAX + 1];
};

struct writer {
	int map, program;
	struct order_to_write *order; /* the map's memory */
	struct random_source random;
	struct inventory *inventory;
	uint64_t malformed, delivered; /* of the records that were written */
};

/* --- who writes into the ring --- */

/* The sentinel's map among this process's descriptors; borrowed. */
static int find_ring(void)
{
	for (int fd = 0; fd < DESCRIPTORS; fd++) {
		struct bpf_map_info info = { 0 };
		uint32_t size = sizeof(info);

		if (bpf_obj_get_info_by_fd(fd, &info, &size) == 0 &&
		    info.type == BPF_MAP_TYPE_RINGBUF && !strcmp(info.name, "ring"))
			return fd;
	}
	fail_msg("no descriptor of the ring");
	return -1;
}

#define INSN(op, to, from, offset, immediate)  \
	((struct bpf_insn){ .code = (op),      \
			    .dst_reg = (to),   \
			    .src_reg = (from), \
			    .off = (offset),   \
			    .imm = (immediate) })
#define LOAD_MAP(to, fd) \
	INSN(BPF_LD | BPF_IMM | BPF_DW, to, BPF_PSEUDO_MAP_FD, 0, fd), INSN(0, 0, 0, 0, 0)
#define CALL(helper) INSN(BPF_JMP | BPF_CALL, 0, 0, 0, helper)

/* order = lookup(map, 0); return order ? ringbuf_output(ring, order->bytes, order->size, 0) : 0 */
static int load_writer(int map, int ring)
{
	const struct bpf_insn program[] = {
		INSN(BPF_ST | BPF_MEM | BPF_W, BPF_REG_10, 0, -4, 0),
		LOAD_MAP(BPF_REG_1, map),
		INSN(BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_2, BPF_REG_10, 0, 0),
		INSN(BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_2, 0, 0, -4),
		CALL(BPF_FUNC_map_lookup_elem),
		INSN(BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_0, 0, 8, 0),
		INSN(BPF_LDX | BPF_MEM | BPF_DW, BPF_REG_3, BPF_REG_0, 0, 0),
		INSN(BPF_ALU64 | BPF_AND | BPF_K, BPF_REG_3, 0, 0, BYTES_MAX),
		INSN(BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_2, BPF_REG_0, 0, 0),
		INSN(BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_2, 0, 0,
		     offsetof(struct order_to_write, bytes)),
		LOAD_MAP(BPF_REG_1, ring),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_4, 0, 0, 0),
		CALL(BPF_FUNC_ringbuf_output),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};

	return bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "writer", "GPL", program, ARRAY_SIZE(program),
			     NULL);
}

static void start_writer(struct writer *w, const struct asker *a, const char *test)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_MMAPABLE);

	if (sentinel_report(a->sentinel)->mode != SENTINEL_MODE_BPF)
		skip();
	*w = (struct writer){ .inventory = a->inventory, .random = random_start(test) };
	w->map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "order", sizeof(uint32_t), sizeof(*w->order), 1,
				&options);
	assert_true(w->map >= 0);
	w->order = mmap(NULL, sizeof(*w->order), PROT_READ | PROT_WRITE, MAP_SHARED, w->map, 0);
	assert_ptr_not_equal(w->order, MAP_FAILED);
	w->program = load_writer(w->map, find_ring());
	assert_true(w->program >= 0);
}

static void end_writer(struct writer *w)
{
	munmap(w->order, sizeof(*w->order));
	close(w->program);
	close(w->map);
}

/* --- what comes of it --- */

static void ignore_change(uint32_t netns, uint16_t port, void *user_data)
{
}

static void apply(const struct event *event, void *user_data)
{
	struct writer *w = user_data;
	bool again;

	if (event->kind != EVENT_FAIL && event->kind != EVENT_TERM && event->kind != EVENT_RUN_END)
		assert_true(inventory_apply(w->inventory, event, 0, ignore_change, NULL, &again) <=
			    0);
}

static void take_in(struct writer *w, const struct asker *a)
{
	const char *fault;
	bool resync;

	assert_int_equal(sentinel_dispatch(a->sentinel, NULL, apply, w, &resync), 0);
	fault = table_fault(w->inventory);
	if (fault)
		fail_msg("%s", fault);
}

static int run_writer(const struct writer *w)
{
	static const uint8_t packet[64]; /* such programs are run on one */
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = packet, .data_size_in = sizeof(packet));

	assert_int_equal(bpf_prog_test_run_opts(w->program, &run), 0);
	return (int)run.retval;
}

/* The order goes into the ring, which the machine's own events may have filled, and what becomes of
 * it is foreseen. */
static void write_record(struct writer *w, const struct asker *a)
{
	struct event event;

	while (run_writer(w))
		take_in(w, a);
	if (decode_event(w->order->bytes, w->order->size, TICKS_PER_S, &event) < 0)
		w->malformed++;
	else if (event.kind != EVENT_LISTEN || event.port)
		w->delivered++;
}

/* --- what is written --- */

static void fill(struct writer *w, size_t n)
{
	for (size_t i = 0; i < n; i += sizeof(uint64_t)) {
		uint64_t bytes = random_u64(&w->random);

		memcpy(w->order->bytes + i, &bytes, sizeof(bytes));
	}
	w->order->size = n;
}

static size_t size_of(enum abi_kind kind)
{
	switch (kind) {
	case ABI_PROCESS:
		return sizeof(struct abi_process_event);
	case ABI_FAIL:
		return sizeof(struct abi_failure);
	case ABI_FORK:
	case ABI_EXEC:
	case ABI_EXIT:
	case ABI_TERM:
	case ABI_RUN_END:
		return sizeof(struct abi_task_event);
	default:
		return sizeof(struct abi_socket_event);
	}
}

/* Sockets that do not exist of processes that mostly do not, in the kernel's form. */
static void fill_event(struct writer *w)
{
	enum abi_kind kind = ABI_PROCESS + random_below(&w->random, ABI_RUN_END);
	struct abi_socket_event *record = (struct abi_socket_event *)w->order->bytes;

	fill(w, size_of(kind));
	record->head.kind = kind;
	record->head.size = (uint16_t)w->order->size;
	record->head.pid = 1 + random_below(&w->random, 50);
	record->head.boot_ns = clock_ns(CLOCK_BOOTTIME) - random_below(&w->random, 1000);
	record->head.start_ns = (1 + random_below(&w->random, 3)) * NS_PER_S;
	if (w->order->size != sizeof(*record))
		return;
	record->socket.cookie = COOKIE + random_below(&w->random, COOKIES);
	record->socket.netns = inventory_own_netns(w->inventory);
	record->socket.family = random_below(&w->random, 2) ? AF_INET : AF_INET6;
	record->socket.protocol = random_below(&w->random, 3) ? IPPROTO_TCP : IPPROTO_UDP;
	record->socket.port = (uint16_t)(3000 + random_below(&w->random, 8));
}

/* One of three is right, one is so but for a few bytes, one is of any size and bytes. */
static void fill_order(struct writer *w)
{
	unsigned what = random_below(&w->random, 3);

	if (what == 0) {
		fill(w, random_below(&w->random, BYTES_MAX + 1));
		return;
	}
	fill_event(w);
	if (what == 1)
		for (unsigned n = 1 + random_below(&w->random, 4); n; n--)
			w->order->bytes[random_below(&w->random, (unsigned)w->order->size)] =
				(uint8_t)random_u64(&w->random);
}

static unsigned count_made_up(const struct inventory *inventory)
{
	struct inventory_place place = { 0 };
	const struct socket_row *row;
	unsigned n = 0;

	while ((row = inventory_next(inventory, &place)))
		n += row->cookie >= COOKIE;
	return n;
}

TEST_WITH(records_of_any_bytes_are_told_or_counted_and_the_table_stays_sound, struct asker *a)
{
	const char *given = getenv("PD_RECORDS");
	unsigned n = given ? (unsigned)strtoul(given, NULL, 10) : RECORDS;
	struct sentinel_counters before, after;
	struct writer w;

	start_writer(&w, a, __func__);
	take_in(&w, a);
	before = sentinel_counters(a->sentinel);
	for (unsigned i = 0; i < n; i++) {
		fill_order(&w);
		write_record(&w, a);
		if (i % BATCH == BATCH - 1)
			take_in(&w, a);
	}
	take_in(&w, a);
	after = sentinel_counters(a->sentinel);
	print_message("# %u records, %llu of them none\n", n, (unsigned long long)w.malformed);
	assert_int_equal(after.malformed - before.malformed, w.malformed);
	assert_true(after.events - before.events >= w.delivered); /* the machine has its own */
	end_writer(&w);
}

TEST_WITH(table_that_was_told_of_made_up_sockets_is_the_kernels_once_it_was_read, struct asker *a)
{
	_cleanup_close_ int fd = netns_bind(AF_INET, SOCK_STREAM, NULL, 3000, NETNS_LISTEN);
	const struct socket_row *row;
	struct writer w;

	assert_true(fd >= 0);
	need_probe(a, "walk"); /* without it sockets that are merely bound are in no list */
	start_writer(&w, a, __func__);
	for (unsigned i = 0; i < COOKIES; i++) {
		fill_event(&w);
		write_record(&w, a);
	}
	take_in(&w, a);
	assert_true(count_made_up(a->inventory) > 0);
	assert_int_equal(inventory_resync(a->inventory, 0, NULL, NULL), 0);
	assert_int_equal(inventory_by_port(a->inventory, 0, 3000, &row, 1), 1);
	assert_int_equal(count_made_up(a->inventory), 0);
	end_writer(&w);
}

static int start(void **state)
{
	return leave_network() ?: start_asking(state);
}

ASKING_TEST_MAIN(start, stop_asking)
