/* SPDX-License-Identifier: MIT */
/* Who is seen to start the holders of a port again, by made-up events. */
#include <errno.h>
#include <netinet/in.h>

#include "inventory/inventory.h"
#include "provenance/lineage.h"
#include "testing.h"

#define NETNS	   7
#define PORT	   3000
#define DOG	   500 /* pids; everybody starts at a time of their own */
#define SHELL	   400
#define SOON_MS	   300
#define MUCH_MS	   60000
#define MANY_PORTS 5000

struct world {
	struct inventory *inventory;
	struct lineage *lineage;
	int64_t now_ms;
};

static struct process_id id_of(pid_t pid)
{
	return (struct process_id){ .pid = pid, .start_ticks = (uint64_t)pid * 10 };
}

static int open_world(void **state)
{
	static const struct kernel_source nothing;
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	assert_int_equal(inventory_new(&nothing, &w->inventory), 0);
	w->lineage = lineage_new();
	assert_non_null(w->lineage);
	w->now_ms = 1;
	*state = w;
	return 0;
}

static int close_world(void **state)
{
	struct world *w = *state;

	inventory_free(w->inventory);
	lineage_free(w->lineage);
	free(w);
	return 0;
}

static void happens(struct world *w, enum event_kind kind, pid_t pid, uint16_t port)
{
	const struct event e = { .kind = kind,
				 .actor = id_of(pid),
				 .netns = NETNS,
				 .protocol = IPPROTO_TCP,
				 .port = port,
				 .error = kind == EVENT_FAIL ? EADDRINUSE : 0 };

	lineage_note(w->lineage, w->inventory, &e, w->now_ms);
}

/* A process below those pids, nearest first, 0 behind the last. */
static void starts(struct world *w, enum event_kind kind, pid_t pid, const pid_t above[3])
{
	struct process process = { .id = id_of(pid) };

	for (; process.n_ancestors < 3 && above[process.n_ancestors]; process.n_ancestors++)
		process.ancestors[process.n_ancestors].id = id_of(above[process.n_ancestors]);
	assert_int_equal(inventory_recall_process(w->inventory, &process), 0);
	happens(w, kind, pid, PORT);
}

static const pid_t below_dog[3] = { DOG };

static bool restarts(const struct world *w, pid_t parent, pid_t child)
{
	const struct process_id a = id_of(parent), b = id_of(child);

	return lineage_restarts(w->lineage, NETNS, PORT, &a, &b);
}

TEST_WITH(end_of_a_server_that_is_answered_at_once_tells_who_answers, struct world *w)
{
	starts(w, EVENT_LISTEN, 600, below_dog);
	assert_false(restarts(w, DOG, 600));
	w->now_ms += MUCH_MS;
	happens(w, EVENT_CLOSE, 600, PORT);
	w->now_ms += SOON_MS;
	starts(w, EVENT_LISTEN, 601, below_dog);
	assert_true(restarts(w, DOG, 601));
	assert_false(restarts(w, DOG, 600));
	assert_false(restarts(w, SHELL, 601));
}

TEST_WITH(server_that_is_started_again_later_was_started_by_somebody_who_thinks, struct world *w)
{
	for (pid_t pid = 600; pid < 606; pid++) {
		starts(w, EVENT_LISTEN, pid, below_dog);
		w->now_ms += MUCH_MS;
		happens(w, EVENT_CLOSE, pid, PORT);
		w->now_ms += MUCH_MS;
	}
	starts(w, EVENT_LISTEN, 606, below_dog);
	assert_false(restarts(w, DOG, 606));
}

TEST_WITH(attempts_that_are_refused_count_when_one_succeeds, struct world *w)
{
	for (pid_t pid = 600; pid < 602; pid++, w->now_ms += SOON_MS)
		starts(w, EVENT_FAIL, pid, below_dog);
	starts(w, EVENT_LISTEN, 602, below_dog);
	assert_true(restarts(w, DOG, 602));
	/* a stranger that is refused behind it changes nothing */
	starts(w, EVENT_FAIL, 700, (const pid_t[3]){ SHELL });
	assert_true(restarts(w, DOG, 602));
	assert_false(restarts(w, SHELL, 700));
}

TEST_WITH(one_server_with_several_sockets_is_one, struct world *w)
{
	for (int i = 0; i < 4; i++)
		starts(w, EVENT_LISTEN, 600, below_dog);
	assert_false(restarts(w, DOG, 600));
}

TEST_WITH(who_starts_again_is_the_nearest_that_has_several_children, struct world *w)
{
	/* under a shell one npm restarts its servers: not the shell */
	for (pid_t pid = 600; pid < 603; pid++, w->now_ms += SOON_MS)
		starts(w, EVENT_FAIL, pid, (const pid_t[3]){ DOG, SHELL });
	starts(w, EVENT_LISTEN, 603, (const pid_t[3]){ DOG, SHELL });
	assert_true(restarts(w, DOG, 603));
	assert_false(restarts(w, SHELL, DOG));
}

static void ports_that_one_process_opens(struct world *w)
{
	for (uint16_t port = PORT + 1; port < PORT + MANY_PORTS; port++)
		happens(w, EVENT_LISTEN, 602, port);
}

TEST_WITH(other_ports_are_not_mixed_up_and_make_room_for_each_other_in_time, struct world *w)
{
	for (pid_t pid = 600; pid < 603; pid++, w->now_ms += SOON_MS)
		starts(w, EVENT_FAIL, pid, below_dog);
	assert_true(restarts(w, DOG, 602));
	ports_that_one_process_opens(w);
	assert_true(restarts(w, DOG, 602));
	w->now_ms += MUCH_MS;
	ports_that_one_process_opens(w);
	assert_false(restarts(w, DOG, 602));
}

EACH_TEST_MAIN(open_world, close_world)
