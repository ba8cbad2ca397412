/* SPDX-License-Identifier: MIT */
/*
 * The table of sockets: events about any socket and process in any order, and between them a kernel
 * that answers passes, looks and re-checks with anything.  The table hangs together all the time.
 */
#include "unit/inventory/sound_table.h"

#include "fuzz/fuzz.h"
#include "unit/inventory/fake.h"

#define NOW	    1700000000
#define FIRST_PORT  3000
#define STEPS_MAX   64
#define RESYNCS_MAX 1 /* of one input: each reads the machine's own sockets, too */
#define ACTORS	    7
#define COOKIES	    8

struct world {
	struct fake fake; /* the first: what it answers itself is called with the world, too */
	struct fuzz_input in;
	struct inventory *inv;
	unsigned resyncs;
	bool garbled;  /* the next pass is of any bytes */
	uint8_t error; /* of the next look or re-check; 0 = none */
};

static void ignore_change(uint32_t netns, uint16_t port, void *user_data)
{
}

/* --- the kernel's answers --- */

static int open_pass(void *user_data)
{
	struct world *w = user_data;
	size_t n = w->in.size < 2048 ? w->in.size : 2048;
	int fd;

	if (!w->garbled)
		return fake_open_pass(&w->fake);
	w->garbled = false;
	fd = fuzz_file(w->in.bytes, n);
	w->in.bytes += n;
	w->in.size -= n;
	return fd;
}

/* How the next answer is wrong, once; 0 = it is right, an odd one is an error. */
static uint8_t take_error(struct world *w)
{
	uint8_t error = w->error;

	w->error = 0;
	return error;
}

static int errno_of(uint8_t error)
{
	return -(1 + error / 2 % 100);
}

static int look(void *user_data, struct abi_look *look)
{
	struct world *w = user_data;
	uint8_t error = take_error(w);

	if (error & 1)
		return errno_of(error);
	if (!error)
		return fake_look(&w->fake, look);
	fuzz_take(&w->in, (char *)look + offsetof(struct abi_look, result), error);
	return 0;
}

static int recheck(void *user_data, struct abi_hold *holds, size_t n)
{
	struct world *w = user_data;
	uint8_t error = take_error(w);

	if (error & 1)
		return errno_of(error);
	if (!error)
		return fake_recheck(&w->fake, holds, n);
	for (size_t i = 0; i < n; i++)
		fuzz_take(&w->in, (char *)&holds[i] + offsetof(struct abi_hold, start_ns), 12);
	return 0;
}

/* --- what happens --- */

static void apply(struct world *w, uint8_t what)
{
	static const enum event_kind kinds[] = { EVENT_PROCESS,	 EVENT_BIND,  EVENT_LISTEN,
						 EVENT_UNLISTEN, EVENT_CLOSE, EVENT_FORK,
						 EVENT_EXEC,	 EVENT_EXIT };
	enum event_kind kind = kinds[what % ARRAY_SIZE(kinds)];
	uint8_t who = fuzz_take_byte(&w->in), socket = fuzz_take_byte(&w->in);
	unsigned actor = 1 + who % ACTORS;
	struct event e = kind == EVENT_PROCESS ? process_event(actor, "/") : event_of(kind, actor);
	bool again;

	e.actor.start_ticks += who >> 7;
	e.child = fake_id(1 + (who >> 3) % ACTORS);
	e.exit_code = socket;
	e.cookie = 1 + socket % COOKIES;
	e.inode = socket & 128 ? e.cookie % 5 : e.cookie + 1000;
	e.netns = FAKE_NETNS;
	e.protocol = socket >> 3 & 1   ? NET_PROTOCOL_MPTCP
		     : socket >> 4 & 1 ? IPPROTO_UDP
				       : IPPROTO_TCP;
	e.family = AF_INET;
	e.port = (uint16_t)(FIRST_PORT + (socket >> 5 & 3));
	must(inventory_apply(w->inv, &e, NOW, ignore_change, w, &again) <= 0);
}

static void hold(struct world *w)
{
	uint8_t n = fuzz_take_byte(&w->in) % 6;

	w->fake.n_fds = 0;
	for (uint8_t i = 0; i < n; i++) {
		uint8_t who = fuzz_take_byte(&w->in), socket = fuzz_take_byte(&w->in);

		fake_hold(&w->fake, fake_id(1 + who % ACTORS), 1 + socket % COOKIES, 3 + (who >> 5),
			  1 + (socket >> 5));
	}
}

static void resync(struct world *w, bool whole)
{
	if (w->resyncs++ == RESYNCS_MAX)
		return;
	if (whole)
		inventory_resync(w->inv, NOW, ignore_change, w);
	else
		inventory_resync_begin(w->inv, NOW);
}

static void ask(struct world *w, uint8_t what)
{
	uint16_t port = (uint16_t)(FIRST_PORT + (what >> 4 & 3));
	bool again;

	switch (what % 8) {
	case 0:
		inventory_settle(w->inv, NOW, ignore_change, w, &again);
		break;
	case 1:
		inventory_look_at_port(w->inv, FAKE_NETNS, port);
		break;
	case 2:
		inventory_verify_port(w->inv, FAKE_NETNS, port);
		break;
	case 3:
		inventory_recheck(w->inv, (struct inventory_place){ 0 }, 8, NULL, NULL);
		break;
	case 4:
		inventory_refresh(w->inv);
		break;
	case 5:
		resync(w, what & 128);
		break;
	case 6:
		if (inventory_is_resyncing(w->inv))
			inventory_resync_go_on(w->inv, 0, ignore_change, w);
		break;
	default:
		inventory_note_loss(w->inv);
	}
}

static void step(struct world *w)
{
	uint8_t what = fuzz_take_byte(&w->in);

	if (what < 128)
		apply(w, what);
	else if (what < 160)
		hold(w);
	else if (what < 224)
		ask(w, fuzz_take_byte(&w->in));
	else if (what < 240)
		w->garbled = true;
	else
		w->error = fuzz_take_byte(&w->in);
}

int fuzz(const uint8_t *bytes, size_t size)
{
	static struct world w;
	struct kernel_source source = fake_source(&w.fake);
	const char *fault;

	source.open_holder_pass = open_pass;
	source.look = look;
	source.recheck_descriptors = recheck;
	w = (struct world){ .in = { bytes, size } };
	must(inventory_new(&source, &w.inv) == 0);
	for (int i = 0; i < STEPS_MAX && w.in.size; i++) {
		step(&w);
		fault = table_fault(w.inv);
		if (fault)
			fprintf(stderr, "step %d: %s\n", i, fault);
		must(!fault);
	}
	inventory_free(w.inv);
	return 0;
}
