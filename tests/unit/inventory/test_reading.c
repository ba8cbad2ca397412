/* SPDX-License-Identifier: MIT */
/*
 * The table is read in slices, while sockets open and close and events wait or are lost: at the end
 * it is what the kernel has.  PD_SEED repeats a run.
 */
#include "base/array.h"
#include "unit/inventory/netns.h"
#include "unit/inventory/table_world.h"
#include "unit/random.h"

static void begin(struct world *w)
{
	assert_int_equal(inventory_resync_begin(w->inv, NOW), 0);
}

/* One part: the fake kernel's whole pass, its end, a list, some rows. */
static void go_on(struct world *w)
{
	assert_true(inventory_is_resyncing(w->inv));
	assert_int_equal(inventory_resync_go_on(w->inv, 0, count_change, w), 0);
}

static void finish(struct world *w)
{
	while (inventory_is_resyncing(w->inv))
		go_on(w);
}

TEST_WITH(a_socket_that_closes_while_the_table_is_read_goes, struct world *w)
{
	fake_hold(&w->fake, fake_id(1), 10, 3, 1);
	begin(w);
	go_on(w);
	assert_holders(only_row(w), 1, (unsigned[]){ 1 });
	apply(w, socket_event(EVENT_CLOSE, 1, 10, PORT));
	finish(w);
	assert_no_row(w);
}

TEST_WITH(a_server_that_begins_while_the_table_is_read_stays, struct world *w)
{
	begin(w);
	go_on(w);
	go_on(w); /* the pass is over: it has not shown it */
	start_server(w);
	finish(w);
	assert_holders(only_row(w), 1, (unsigned[]){ 1 });
	assert_int_equal(only_row(w)->state, SOCKET_LISTEN);
}

TEST_WITH(a_child_that_is_forked_while_the_table_is_read_stays, struct world *w)
{
	fake_hold(&w->fake, fake_id(1), 10, 3, 2);
	begin(w);
	go_on(w);
	go_on(w);
	fake_hold(&w->fake, fake_id(2), 10, 3, 2);
	apply(w, fork_event(1, 2));
	finish(w);
	assert_holders(only_row(w), 2, (unsigned[]){ 1, 2 });
}

TEST_WITH(a_bind_that_waited_and_whose_close_was_lost_goes, struct world *w)
{
	struct event bind = socket_event(EVENT_BIND, 1, 10, PORT);

	begin(w);
	go_on(w);
	apply(w, bind);
	finish(w);
	assert_no_row(w);
	apply(w, bind);
	assert_no_row(w);
}

TEST_WITH(an_event_that_waited_changes_no_row_that_was_read_since, struct world *w)
{
	const struct event listen = socket_event(EVENT_LISTEN, 1, 10, PORT);

	fake_hold(&w->fake, fake_id(1), 10, 3, 1);
	w->fake.tcp_state = 7; /* bound, after a shutdown that was lost */
	begin(w);
	go_on(w);
	apply(w, listen);
	assert_int_equal(only_row(w)->state, SOCKET_BOUND);
	assert_int_equal(only_row(w)->binder.pid, FAKE_PID + 1);
	finish(w);
	assert_int_equal(only_row(w)->state, SOCKET_BOUND);
	apply(w, socket_event(EVENT_LISTEN, 1, 10, PORT));
	assert_int_equal(only_row(w)->state, SOCKET_LISTEN);
}

TEST_WITH(a_loss_while_the_table_is_read_asks_for_the_next_reading, struct world *w)
{
	inventory_note_loss(w->inv);
	begin(w);
	go_on(w);
	inventory_note_loss(w->inv);
	finish(w);
	assert_true(inventory_is_behind(w->inv));
	begin(w);
	finish(w);
	assert_false(inventory_is_behind(w->inv));
}

TEST_WITH(a_look_in_between_counts_no_descriptor_twice, struct world *w)
{
	fake_hold(&w->fake, fake_id(1), 10, 3, 2);
	fake_hold(&w->fake, fake_id(1), 10, 4, 2);
	resync(w);
	begin(w);
	inventory_refresh(w->inv);
	w->fake.n_fds = 1; /* one of the two was closed */
	w->fake.fds[0].refs = 1;
	apply(w, event_of(EVENT_EXEC, 1));
	settle(w);
	assert_int_equal(only_row(w)->holders[0].n_fds, 1);
	finish(w); /* what its pass shows is older than the look */
	assert_int_equal(only_row(w)->holders[0].n_fds, 1);
	assert_int_equal(only_row(w)->holders[0].fd_count, 1);
}

TEST_WITH(rows_of_before_stay_until_the_end, struct world *w)
{
	start_server(w);
	begin(w);
	for (int i = 0; i < 3; i++) {
		go_on(w);
		assert_holders(only_row(w), 1, (unsigned[]){ 1 });
	}
	finish(w);
	assert_no_row(w);
}

TEST_WITH(a_question_in_parts_finds_who_was_handed_the_socket, struct world *w)
{
	bool more = true;

	start_server(w);
	fake_hold(&w->fake, fake_id(2), 10, 3, 1); /* process 1 has it no more */
	w->fake.alive[w->fake.n_alive++] = FAKE_PID + 1;
	while (more)
		assert_int_equal(inventory_verify_in_parts(w->inv, PORT, 0, &more), 0);
	assert_holders(only_row(w), 1, (unsigned[]){ 2 });
}

TEST_WITH(a_question_in_parts_waits_for_a_table_that_is_being_read, struct world *w)
{
	bool more;

	begin(w);
	fake_hold(&w->fake, fake_id(1), 10, 3, 1);
	assert_int_equal(inventory_verify_in_parts(w->inv, PORT, 0, &more), 0);
	assert_true(more);
	finish(w);
	assert_int_equal(inventory_verify_in_parts(w->inv, PORT, 0, &more), 0);
	assert_false(more);
}

/* --- any order ------------------------------------------------------------------------------- */

#define LIVE_MAX    6
#define SOCKETS_MAX 8
#define QUEUE_SIZE  4096
#define STEPS	    20000

/* The kernel: who holds which socket, and the events that wait. */
struct model {
	struct world *w;
	struct random_source random;
	unsigned live[LIVE_MAX], n_live, next;
	struct {
		uint64_t cookie;
		bool held_by[LIVE_MAX]; /* as `live` */
	} sockets[SOCKETS_MAX];
	unsigned n_sockets;
	uint64_t next_cookie;
	struct event queue[QUEUE_SIZE];
	unsigned first, n_queued;
	bool has_lost;
	bool in_parts; /* the next pass is shown process by process */
	int shows;     /* its writing end; -1 = none */
	unsigned shown;
};

static unsigned any(struct model *m, unsigned n)
{
	return random_below(&m->random, n);
}

static void tell(struct model *m, struct event e)
{
	if (any(m, 16) == 0 || m->n_queued == QUEUE_SIZE)
		m->has_lost = true;
	else
		m->queue[(m->first + m->n_queued++) % QUEUE_SIZE] = e;
}

static unsigned count_holders(const struct model *m, unsigned socket)
{
	unsigned n = 0;

	for (unsigned i = 0; i < m->n_live; i++)
		n += m->sockets[socket].held_by[i];
	return n;
}

static void show_to_fake(struct model *m)
{
	struct fake *f = &m->w->fake;

	f->n_fds = f->n_alive = 0;
	for (unsigned i = 0; i < m->n_live; i++) {
		f->alive[f->n_alive++] = FAKE_PID + m->live[i];
		for (unsigned s = 0; s < m->n_sockets; s++)
			if (m->sockets[s].held_by[i])
				fake_hold(f, fake_id(m->live[i]), m->sockets[s].cookie, 3 + s,
					  count_holders(m, s));
	}
}

static void close_socket(struct model *m, unsigned s, unsigned by)
{
	m->sockets[s].held_by[by] = false;
	if (count_holders(m, s))
		return;
	tell(m, socket_event(EVENT_CLOSE, m->live[by], m->sockets[s].cookie, PORT));
	m->sockets[s] = m->sockets[--m->n_sockets];
}

static void begin_process(struct model *m)
{
	for (unsigned s = 0; s < m->n_sockets; s++)
		m->sockets[s].held_by[m->n_live] = false;
	m->live[m->n_live++] = ++m->next;
}

static void listen_somewhere(struct model *m, unsigned by)
{
	uint64_t cookie = ++m->next_cookie;

	if (m->n_sockets == SOCKETS_MAX)
		return;
	m->sockets[m->n_sockets].cookie = cookie;
	memset(m->sockets[m->n_sockets].held_by, 0, sizeof(m->sockets[0].held_by));
	m->sockets[m->n_sockets++].held_by[by] = true;
	tell(m, process_event(m->live[by], "/"));
	tell(m, socket_event(EVENT_BIND, m->live[by], cookie, PORT));
	tell(m, socket_event(EVENT_LISTEN, m->live[by], cookie, PORT));
}

static void fork_process(struct model *m, unsigned parent)
{
	unsigned child = m->n_live;

	if (child == LIVE_MAX)
		return;
	begin_process(m);
	for (unsigned s = 0; s < m->n_sockets; s++)
		m->sockets[s].held_by[child] = m->sockets[s].held_by[parent];
	tell(m, fork_event(m->live[parent], m->live[child]));
}

static void end_process(struct model *m, unsigned who)
{
	tell(m, exit_event(m->live[who], 0));
	for (unsigned s = m->n_sockets; s > 0; s--)
		if (m->sockets[s - 1].held_by[who])
			close_socket(m, s - 1, who);
	m->live[who] = m->live[--m->n_live];
	for (unsigned s = 0; s < m->n_sockets; s++)
		m->sockets[s].held_by[who] = m->sockets[s].held_by[m->n_live];
}

static void happen(struct model *m)
{
	unsigned who = m->n_live ? any(m, m->n_live) : 0, s = any(m, SOCKETS_MAX);

	if (!m->n_live)
		begin_process(m);
	else if (any(m, 4) == 0)
		listen_somewhere(m, who);
	else if (any(m, 3) == 0)
		fork_process(m, who);
	else if (any(m, 4) == 0)
		end_process(m, who);
	else if (s < m->n_sockets && m->sockets[s].held_by[who])
		close_socket(m, s, who);
	else if (m->n_live < LIVE_MAX)
		begin_process(m);
	show_to_fake(m);
}

/* --- the daemon's side --- */

static void read_some_events(struct model *m, unsigned n)
{
	for (; n > 0 && m->n_queued > 0; n--, m->n_queued--)
		apply(m->w, m->queue[m->first++ % QUEUE_SIZE]);
	if (m->has_lost)
		inventory_note_loss(m->w->inv);
	m->has_lost = false;
}

static struct model *model; /* for open_pass(), which is handed the fake */

static int open_pass(void *user_data)
{
	int ends[2];

	if (!model->in_parts)
		return fake_open_pass(user_data);
	assert_int_equal(pipe(ends), 0);
	model->shows = ends[1];
	model->shown = 0;
	return ends[0];
}

/* What the next process that has sockets holds now, or the end of the pass. */
static void show_next(struct model *m)
{
	const struct fake *f = &m->w->fake;
	bool any = false;

	while (m->shows >= 0 && !any && m->shown <= m->next) {
		struct process_id id = fake_id(m->shown++);

		for (size_t i = 0; i < f->n_fds; i++) {
			struct abi_holder h = fake_holder(f, &f->fds[i]);

			if (f->fds[i].pid != (uint32_t)id.pid)
				continue;
			assert_int_equal(write(m->shows, &h, sizeof(h)), sizeof(h));
			any = true;
		}
	}
	if (m->shows < 0 || any)
		return;
	close(m->shows);
	m->shows = -1;
}

static void work(struct model *m)
{
	struct world *w = m->w;

	if (!inventory_is_resyncing(w->inv)) {
		m->in_parts = true;
		assert_int_equal(inventory_resync_begin(w->inv, NOW), 0);
		m->in_parts = false;
		return;
	}
	show_next(m);
	go_on(w);
}

static void assert_is_what_the_kernel_has(struct model *m)
{
	const struct socket_row *rows[SOCKETS_MAX];

	assert_int_equal(inventory_by_port(m->w->inv, FAKE_NETNS, PORT, rows, ARRAY_SIZE(rows)),
			 m->n_sockets);
	for (unsigned s = 0; s < m->n_sockets; s++) {
		const struct socket_row *row = inventory_by_cookie(m->w->inv, m->sockets[s].cookie);

		assert_non_null(row);
		assert_int_equal(row->state, SOCKET_LISTEN);
		assert_int_equal(row->n_holders, count_holders(m, s));
		for (unsigned i = 0; i < m->n_live; i++) {
			struct process_id id = fake_id(m->live[i]);

			assert_int_equal(!!socket_holder(row, &id), m->sockets[s].held_by[i]);
		}
	}
}

/* All that waits is read, and what was lost mended. */
static void come_to_rest(struct model *m)
{
	do {
		read_some_events(m, QUEUE_SIZE);
		if (inventory_is_behind(m->w->inv) || inventory_is_resyncing(m->w->inv))
			work(m);
	} while (inventory_is_behind(m->w->inv) || inventory_is_resyncing(m->w->inv));
	settle(m->w);
	/* that one of several holders has closed its descriptor no event tells */
	inventory_refresh(m->w->inv);
	assert_int_equal(inventory_verify_port(m->w->inv, FAKE_NETNS, PORT), 0);
}

TEST_WITH(whatever_happens_meanwhile_the_table_is_what_the_kernel_has, struct world *w)
{
	struct kernel_source source = fake_source(&w->fake);
	static struct model m;

	m = (struct model){ .w = w, .shows = -1 };
	m.random = random_start("whatever_happens_meanwhile_the_table_is_what_the_kernel_has");
	model = &m;
	source.open_holder_pass = open_pass;
	use_source(w, &source);
	for (int i = 0; i < STEPS; i++) {
		if (any(&m, 2))
			happen(&m);
		if (any(&m, 3) == 0)
			read_some_events(&m, any(&m, 8));
		if (inventory_is_resyncing(w->inv) || any(&m, 200) == 0)
			work(&m);
		if (any(&m, 100))
			continue;
		come_to_rest(&m);
		assert_is_what_the_kernel_has(&m);
	}
	come_to_rest(&m);
}

/* Where it may: the sockets of whoever works beside it are read, too. */
EACH_TEST_MAYBE_IN_NETNS_MAIN(setup, teardown)
