// SPDX-License-Identifier: MIT
/*
 * Rounds of health checks without HTTP: a fake watcher in the place of the API, a real tracker,
 * registry and sockets.  Who is asked, what is told and kept, how a round ends.
 */
#include "unit/tracker/world.h"

#include "base/quota.h"
#include "checks/round.h"
#include "registry/health.h"
#include "unit/sockets.h"

#define STAGED_MAX 16
#define TIMEOUT_S  60 /* of a check that a test does not wait for */

/* What the watcher of a round heard, and the commits that it owes it. */
struct watcher {
	struct world *world;
	struct quota *quota;
	struct checks checks;
	struct health_round *round;
	void (*committed[STAGED_MAX])(int error, void *round);
	size_t n_staged, total, steps;
	unsigned counted, known, ended;
	bool due;
	char last[64], result[HEALTH_RESULT_SIZE]; /* of the item that was told last */
	struct health_counts counts;		   /* at the end */
};

static void on_counted(size_t total, void *user_data)
{
	struct watcher *w = user_data;

	w->counted++;
	w->total = total;
	assert_int_equal(w->known, 0);
}

static void on_known(const struct health_item *item, void *user_data)
{
	struct watcher *w = user_data;

	assert_true(item->known);
	w->known++;
	snprintf(w->last, sizeof(w->last), "%s", item->id);
	snprintf(w->result, sizeof(w->result), "%s", item->result);
}

static void on_step_due(void *user_data)
{
	((struct watcher *)user_data)->due = true;
}

static int on_stage(void (*committed)(int error, void *round), void *round, void *user_data)
{
	struct watcher *w = user_data;

	assert_true(registry_in_batch(w->world->registry));
	assert_true(w->n_staged < STAGED_MAX);
	assert_ptr_equal(round, w->round);
	w->committed[w->n_staged++] = committed;
	return 0;
}

static void on_ended(const struct health_round *round, void *user_data)
{
	struct watcher *w = user_data;

	w->ended++;
	w->counts = health_round_counts(round);
}

static const struct health_round_calls calls = { on_counted, on_known, on_step_due, on_stage,
						 on_ended };

/* --- a watcher's work --- */

static int open_watcher(void **state)
{
	struct watcher *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	if (world_open((void **)&w->world))
		return -1;
	assert_int_equal(tracker_start(w->world->tracker), 0);
	assert_int_equal(quota_new(geteuid(), &w->quota), 0);
	w->checks = (struct checks){ w->world->inventory, w->world->registry, w->world->tracker,
				     NULL };
	assert_int_equal(health_new(w->world->loop, w->quota, &w->checks.health), 0);
	*state = w;
	return 0;
}

static int close_watcher(void **state)
{
	struct watcher *w = *state;

	health_free(w->checks.health);
	quota_free(w->quota);
	world_close((void **)&w->world);
	free(w);
	return 0;
}

static void claim_checked(struct watcher *w, const char *id, uint16_t port, const char *health)
{
	const struct claim_request request = { .id = id,
					       .port = port,
					       .health_path = health,
					       .uid = geteuid(),
					       .cwd = "/",
					       .now = time(NULL) };
	struct claim_result result;

	assert_int_equal(registry_begin(w->world->registry), 0);
	assert_int_equal(registry_claim(w->world->registry, &request, any_port, NULL, &result), 0);
	assert_int_equal(registry_commit(w->world->registry), 0);
}

static void begin_round(struct watcher *w, const char *pattern, int64_t timeout_s)
{
	const struct service_filter filter = { .pattern = pattern, .status = -1 };
	const struct health_asker asker = { getpid(), geteuid(), "pd" };

	w->counted = w->known = w->ended = 0;
	w->steps = w->n_staged = 0;
	assert_int_equal(
		health_round_new(&w->checks, &filter, &asker, timeout_s, &calls, w, &w->round), 0);
	w->due = true;
}

/* The end of a turn: what is in the batch is committed, or that fails. */
static void end_turn(struct watcher *w, int error)
{
	size_t n = w->n_staged;

	if (!error)
		assert_int_equal(commit(w->world), 0);
	w->n_staged = 0;
	for (size_t i = 0; i < n; i++)
		w->committed[i](error, w->round);
}

static void step(struct watcher *w)
{
	w->due = false;
	w->steps++;
	assert_int_equal(health_round_step(w->round), 0);
}

static void run_round(struct watcher *w, const char *pattern, int64_t timeout_s)
{
	time_t deadline = time(NULL) + DEADLINE_S;

	begin_round(w, pattern, timeout_s);
	while (!w->ended) {
		assert_true(time(NULL) <= deadline);
		if (w->due)
			step(w);
		end_turn(w, 0);
		if (!w->ended && !w->due)
			turn(w->world);
	}
}

/* The table is read anew: what listens now is in it. */
static void look_again(struct watcher *w)
{
	lose_events(w->world, 1);
	turn(w->world);
}

static void copy_result(const struct health_record *record, void *user_data)
{
	snprintf(user_data, HEALTH_RESULT_SIZE, "%s", record->result);
}

static void assert_kept(struct watcher *w, const char *id, const char *result)
{
	char kept[HEALTH_RESULT_SIZE] = "nothing";

	registry_health_by_id(w->world->registry, id, copy_result, kept);
	assert_string_equal(kept, result);
}

/* --- who is asked --- */

TEST_WITH(without_claims_the_round_ends_with_its_first_commit, struct watcher *w)
{
	run_round(w, NULL, TIMEOUT_S);
	assert_int_equal(w->counted, 1);
	assert_int_equal(w->total, 0);
	assert_int_equal(w->known, 0);
	assert_int_equal(w->ended, 1);
}

TEST_WITH(each_claim_that_was_asked_for_is_told_once_in_steps, struct watcher *w)
{
	char id[32];

	for (int i = 0; i < 300; i++) {
		snprintf(id, sizeof(id), "shop:web%03d", i);
		claim_checked(w, id, (uint16_t)(20000 + i), NULL);
	}
	claim_checked(w, "blog:web", 21000, NULL);
	run_round(w, "shop:*", TIMEOUT_S);
	assert_int_equal(w->total, 300);
	assert_int_equal(w->counted, 1);
	assert_int_equal(w->known, 300);
	assert_true(w->steps >= 3); /* the loop turns in between */
	assert_int_equal(w->counts.by_wellness[WELLNESS_ILL], 300);
	assert_string_equal(w->last, "shop:web299");
	assert_kept(w, "shop:web000", "waiting");
	assert_kept(w, "blog:web", "nothing");
}

/* --- what is told and kept --- */

TEST_WITH(where_nothing_listens_the_table_answers_and_nothing_is_connected_to, struct watcher *w)
{
	claim_checked(w, "shop:web", 20000, "/health");
	begin_round(w, NULL, TIMEOUT_S);
	step(w); /* without a turn of the loop no connection goes on */
	assert_int_equal(w->known, 1);
	assert_string_equal(w->result, "waiting");
	end_turn(w, 0);
	assert_int_equal(w->ended, 1);
	assert_kept(w, "shop:web", "waiting");
	assert_int_equal(count_entries(w->world, ACTIVITY_HEALTH), 0);
}

TEST_WITH(a_listener_is_connected_to_and_its_answer_is_kept, struct watcher *w)
{
	_cleanup_close_ int fd = -1;
	uint16_t port;

	fd = listening_socket(&port);
	claim_checked(w, "shop:web", port, NULL);
	look_again(w);
	run_round(w, NULL, TIMEOUT_S);
	assert_string_equal(w->result, "ok");
	assert_int_equal(w->counts.by_wellness[WELLNESS_WELL], 1);
	assert_true(w->counts.stored);
	assert_kept(w, "shop:web", "ok");
}

/* It accepts, as its backlog does, and says nothing. */
TEST_WITH(an_illness_is_an_entry_once_and_its_end_another, struct watcher *w)
{
	_cleanup_close_ int fd = -1;
	uint16_t port;

	fd = listening_socket(&port);
	claim_checked(w, "shop:web", port, "/health");
	look_again(w);
	run_round(w, NULL, 1);
	assert_string_equal(w->result, "timeout");
	assert_entry(w->world, ACTIVITY_HEALTH, "unhealthy");
	run_round(w, NULL, 1);
	assert_int_equal(count_entries(w->world, ACTIVITY_HEALTH), 1);
	shell(w->world, "UPDATE services SET healthPath = NULL"); /* a connection is enough */
	run_round(w, NULL, TIMEOUT_S);
	assert_string_equal(w->result, "ok");
	assert_int_equal(count_entries(w->world, ACTIVITY_HEALTH), 2);
}

/* --- how it ends --- */

TEST_WITH(a_round_ends_behind_the_commit_of_its_last_result, struct watcher *w)
{
	claim_checked(w, "shop:web", 20000, NULL);
	begin_round(w, NULL, TIMEOUT_S);
	step(w);
	assert_int_equal(w->known, 1);
	assert_int_equal(w->ended, 0);
	assert_int_equal(commit(w->world), 0);
	assert_int_equal(w->ended, 0);
	end_turn(w, 0);
	assert_int_equal(w->ended, 1);
	assert_true(w->counts.stored);
}

TEST_WITH(a_commit_that_fails_is_told_and_changes_nothing_of_what_was_found, struct watcher *w)
{
	claim_checked(w, "shop:web", 20000, NULL);
	begin_round(w, NULL, TIMEOUT_S);
	step(w);
	end_turn(w, -EIO);
	assert_int_equal(w->ended, 1);
	assert_false(w->counts.stored);
	assert_int_equal(w->counts.by_wellness[WELLNESS_ILL], 1);
}

TEST_WITH(a_cancelled_round_tells_no_more_and_keeps_what_it_found, struct watcher *w)
{
	_cleanup_close_ int fd = -1;
	uint16_t port;

	fd = listening_socket(&port); /* a check that does not end by itself */
	claim_checked(w, "shop:api", 20000, NULL);
	claim_checked(w, "shop:web", port, "/health");
	look_again(w);
	begin_round(w, NULL, TIMEOUT_S);
	step(w);
	end_turn(w, 0);
	assert_int_equal(w->known, 1);
	assert_int_equal(health_round_counts(w->round).waiting, 1);
	health_round_cancel(w->round);
	assert_int_equal(w->ended, 0);
	end_turn(w, 0);
	assert_int_equal(w->ended, 1);
	assert_int_equal(w->known, 1);
	assert_kept(w, "shop:api", "waiting");
	assert_kept(w, "shop:web", "nothing");
}

EACH_TEST_IN_NETNS_MAIN(open_watcher, close_watcher)
