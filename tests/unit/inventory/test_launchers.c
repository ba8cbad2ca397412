/* SPDX-License-Identifier: MIT */
/* Who launched a server is followed as long as the server has a socket, and its end is kept. */
#include "unit/inventory/table_world.h"

#define SESSION	  77 /* as fake_process() has it */
#define KILLED	  9
#define EXIT_CODE (3 << 8)

enum { SERVER = 1, WORKER = 2, SH = 3, NPM = 4, SHELL = 5, TERMINAL = 6, OTHER = 7 };

/* terminal (another session) > shell > npm > sh > the server. */
static struct event server_event(unsigned server)
{
	static const unsigned chain[] = { SH, NPM, SHELL, TERMINAL };
	struct event e = process_event(server, "/home/app");

	e.process.sid = SESSION;
	e.process.n_ancestors = ARRAY_SIZE(chain);
	for (size_t i = 0; i < ARRAY_SIZE(chain); i++) {
		e.process.ancestors[i] = (struct process_ancestor){ .id = fake_id(chain[i]) };
		e.process.ancestors[i].sid = chain[i] == TERMINAL ? TERMINAL : SESSION;
	}
	return e;
}

static void listen_with(struct world *w, unsigned server, uint64_t cookie)
{
	apply(w, server_event(server));
	apply(w, socket_event(EVENT_LISTEN, server, cookie, PORT));
	w->changes = 0;
}

static const struct process *described(struct world *w, unsigned who)
{
	const struct process *p = known(w, who);

	assert_non_null(p);
	return p;
}

static const struct process_ancestor *ancestor(struct world *w, unsigned server, unsigned who)
{
	const struct process *p = described(w, server);
	struct process_id id = fake_id(who);

	for (size_t i = 0; i < p->n_ancestors; i++)
		if (process_id_equal(&p->ancestors[i].id, &id))
			return &p->ancestors[i];
	fail_msg("%u is no ancestor of %u", who, server);
	return NULL;
}

TEST_WITH(those_of_its_session_are_followed, struct world *w)
{
	apply(w, server_event(SERVER));
	assert_int_equal(w->fake.exits_tracked[SH], 0); /* it has no socket yet */
	apply(w, socket_event(EVENT_LISTEN, SERVER, 10, PORT));
	assert_int_equal(w->fake.exits_tracked[SH], 1);
	assert_int_equal(w->fake.exits_tracked[NPM], 1);
	assert_int_equal(w->fake.exits_tracked[SHELL], 1);
	assert_int_equal(w->fake.exits_tracked[TERMINAL], 0);
}

TEST_WITH(two_servers_share_a_launcher_and_the_last_one_lets_it_go, struct world *w)
{
	listen_with(w, SERVER, 10);
	listen_with(w, OTHER, 11);
	assert_int_equal(w->fake.exits_tracked[NPM], 1);
	apply(w, exit_event(SERVER, 0));
	apply(w, socket_event(EVENT_CLOSE, SERVER, 10, PORT));
	assert_int_equal(w->fake.exits_tracked[NPM], 1);
	apply(w, socket_event(EVENT_CLOSE, OTHER, 11, PORT));
	assert_int_equal(w->fake.exits_tracked[NPM], 1);
	apply(w, exit_event(OTHER, 0));
	assert_int_equal(w->fake.exits_tracked[NPM], 0);
}

TEST_WITH(loop_of_binds_asks_for_nothing_again, struct world *w)
{
	unsigned asked;

	listen_with(w, SERVER, 10);
	asked = w->fake.exits_asked;
	for (uint64_t cookie = 11; cookie < 20; cookie++) {
		apply(w, socket_event(EVENT_CLOSE, SERVER, cookie - 1, PORT));
		apply(w, socket_event(EVENT_LISTEN, SERVER, cookie, PORT));
	}
	assert_int_equal(w->fake.exits_asked, asked);
}

TEST_WITH(an_end_is_written_into_the_chain_and_changes_the_port, struct world *w)
{
	listen_with(w, SERVER, 10);
	apply(w, exit_event(NPM, KILLED));
	assert_int_equal(w->changes, 1);
	assert_int_equal(w->last_port, PORT);
	assert_int_equal(ancestor(w, SERVER, NPM)->exit_code, KILLED);
	assert_int_equal(ancestor(w, SERVER, NPM)->ended_at, NOW);
	assert_int_equal(ancestor(w, SERVER, SH)->ended_at, 0);
	/* the kernel side has forgotten it by itself: it is not taken back once more */
	assert_int_equal(w->fake.exits_tracked[NPM], 1);
}

TEST_WITH(each_end_is_told_once, struct world *w)
{
	listen_with(w, SERVER, 10);
	apply(w, exit_event(NPM, KILLED));
	w->changes = 0;
	apply(w, exit_event(NPM, EXIT_CODE));
	apply(w, exit_event(TERMINAL, KILLED));
	assert_int_equal(w->changes, 0);
	assert_int_equal(ancestor(w, SERVER, NPM)->exit_code, KILLED);
}

/* sh is init's child now: the newer description does not know npm any more. */
TEST_WITH(a_newer_description_keeps_the_end, struct world *w)
{
	struct event again = server_event(SERVER);

	listen_with(w, SERVER, 10);
	apply(w, exit_event(NPM, KILLED));
	again.process.n_ancestors = 2;
	again.process.ancestors[1] = (struct process_ancestor){ { 1, 1 }, "init" };
	apply(w, again);
	assert_int_equal(described(w, SERVER)->n_ancestors, 4);
	assert_int_equal(ancestor(w, SERVER, NPM)->ended_at, NOW);
	assert_int_equal(w->fake.exits_tracked[SHELL], 1);
}

TEST_WITH(a_chain_of_others_takes_the_place_of_the_old_one, struct world *w)
{
	struct event again = server_event(SERVER);

	listen_with(w, SERVER, 10);
	again.process.ancestors[1].id = fake_id(OTHER);
	apply(w, again);
	assert_int_equal(w->fake.exits_tracked[NPM], 0);
	assert_int_equal(w->fake.exits_tracked[OTHER], 1);
	assert_int_equal(w->fake.exits_tracked[SH], 1);
}

TEST_WITH(a_worker_has_its_parents_launchers, struct world *w)
{
	listen_with(w, SERVER, 10);
	apply(w, fork_event(SERVER, WORKER));
	apply(w, exit_event(SH, EXIT_CODE));
	assert_int_equal(ancestor(w, WORKER, SH)->exit_code, EXIT_CODE);
	assert_int_equal(ancestor(w, WORKER, SERVER)->sid, SESSION);
}

TEST_WITH(a_resync_keeps_ends_and_follows_nobody_twice, struct world *w)
{
	listen_with(w, SERVER, 10);
	apply(w, exit_event(SH, EXIT_CODE));
	fake_hold(&w->fake, fake_id(SERVER), 10, 3, 1);
	resync(w);
	assert_int_equal(ancestor(w, SERVER, SH)->exit_code, EXIT_CODE);
	assert_int_equal(w->fake.exits_tracked[NPM], 1);
	apply(w, exit_event(NPM, KILLED));
	assert_int_equal(ancestor(w, SERVER, NPM)->exit_code, KILLED);
}

TEST_WITH(who_is_gone_after_a_resync_takes_its_launchers_along, struct world *w)
{
	listen_with(w, SERVER, 10);
	resync(w); /* the kernel shows nothing any more */
	assert_int_equal(w->fake.exits_tracked[SH], 0);
	assert_int_equal(w->fake.exits_tracked[NPM], 0);
	assert_int_equal(w->fake.exits_tracked[SHELL], 0);
}

/* --- for a later daemon --- */

/* The next end that is to be stored is of this server, which has ended itself or not. */
static void expect_end(struct world *w, unsigned server, bool has_ended)
{
	const struct process *process;
	struct process_id id = fake_id(server), found;

	assert_true(inventory_next_launcher_end(w->inv, &found, &process));
	assert_true(process_id_equal(&found, &id));
	assert_int_equal(process == NULL, has_ended);
}

TEST_WITH(an_end_is_given_out_once_and_once_more_with_the_server, struct world *w)
{
	listen_with(w, SERVER, 10);
	assert_false(inventory_launcher_ends_wait(w->inv));
	apply(w, exit_event(NPM, KILLED));
	expect_end(w, SERVER, false);
	assert_false(inventory_launcher_ends_wait(w->inv));
	apply(w, exit_event(SERVER, 0));
	apply(w, socket_event(EVENT_CLOSE, SERVER, 10, PORT));
	expect_end(w, SERVER, true);
	assert_false(inventory_launcher_ends_wait(w->inv));
}

TEST_WITH(an_end_with_success_is_not_given_out, struct world *w)
{
	listen_with(w, SERVER, 10);
	apply(w, exit_event(NPM, 0));
	apply(w, exit_event(SERVER, 0));
	apply(w, socket_event(EVENT_CLOSE, SERVER, 10, PORT));
	assert_false(inventory_launcher_ends_wait(w->inv));
}

TEST_WITH(a_worker_that_is_forked_later_is_given_out_with_its_socket, struct world *w)
{
	listen_with(w, SERVER, 10);
	apply(w, exit_event(NPM, KILLED));
	expect_end(w, SERVER, false);
	apply(w, fork_event(SERVER, WORKER));
	apply(w, socket_event(EVENT_LISTEN, WORKER, 11, PORT));
	expect_end(w, WORKER, false);
}

TEST_WITH(a_resync_gives_out_what_waits_and_nothing_twice, struct world *w)
{
	listen_with(w, SERVER, 10);
	fake_hold(&w->fake, fake_id(SERVER), 10, 3, 1);
	apply(w, exit_event(NPM, KILLED));
	resync(w);
	expect_end(w, SERVER, false);
	resync(w);
	assert_false(inventory_launcher_ends_wait(w->inv));
}

TEST_WITH(an_end_that_an_earlier_daemon_saw_has_its_place_in_the_chain, struct world *w)
{
	struct process_ancestor npm = { .id = fake_id(NPM),
					.exit_code = KILLED,
					.ended_at = NOW - 60 };
	struct event e = process_event(SERVER, "/home/app");
	struct process_id server = fake_id(SERVER), other = fake_id(OTHER);

	npm.id.start_ticks = 20;
	e.process.sid = SESSION;
	e.process.n_ancestors = 2;
	e.process.ancestors[0] = (struct process_ancestor){ fake_id(SH), "sh", .sid = SESSION };
	e.process.ancestors[0].id.start_ticks = 30;
	e.process.ancestors[1] = (struct process_ancestor){ { 1, 1 }, "init" };
	apply(w, e);
	inventory_recall_launcher(w->inv, &server, &npm); /* it has no socket yet */
	inventory_recall_launcher(w->inv, &other, &npm);
	assert_false(inventory_launcher_ends_wait(w->inv));
	apply(w, socket_event(EVENT_LISTEN, SERVER, 10, PORT));
	inventory_recall_launcher(w->inv, &server, &npm);
	assert_int_equal(described(w, SERVER)->n_ancestors, 3);
	assert_true(process_id_equal(&described(w, SERVER)->ancestors[1].id, &npm.id));
	assert_int_equal(described(w, SERVER)->ancestors[1].sid, SESSION);
	assert_int_equal(described(w, SERVER)->ancestors[1].ended_at, NOW - 60);
	assert_int_equal(described(w, SERVER)->ancestors[2].id.pid, 1);
	expect_end(w, SERVER, false);
}

TEST_WITH(a_full_chain_loses_its_oldest_for_an_end, struct world *w)
{
	struct process_ancestor npm = { .id = { 500, 500 }, .exit_code = KILLED, .ended_at = NOW };
	struct event e = process_event(SERVER, "/home/app");
	struct process_id server = fake_id(SERVER);

	e.process.sid = SESSION;
	e.process.n_ancestors = PROCESS_ANCESTORS_MAX;
	for (int i = 0; i < PROCESS_ANCESTORS_MAX; i++)
		e.process.ancestors[i].id = (struct process_id){ 100 - i, (uint64_t)(100 - i) };
	apply(w, e);
	apply(w, socket_event(EVENT_LISTEN, SERVER, 10, PORT));
	inventory_recall_launcher(w->inv, &server, &npm);
	assert_int_equal(described(w, SERVER)->n_ancestors, PROCESS_ANCESTORS_MAX);
	assert_int_equal(described(w, SERVER)->ancestors[0].id.pid, 500);
	npm.id = (struct process_id){ 2, 2 }; /* older than all of them */
	inventory_recall_launcher(w->inv, &server, &npm);
	assert_int_equal(described(w, SERVER)->n_ancestors, PROCESS_ANCESTORS_MAX);
	assert_int_not_equal(described(w, SERVER)->ancestors[PROCESS_ANCESTORS_MAX - 1].id.pid, 2);
}

EACH_TEST_MAIN(setup, teardown)
