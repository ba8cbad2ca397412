/* SPDX-License-Identifier: MIT */
/* Work of a request that is long is done in parts, between which others are answered. */
#include "base/run.h"
#include "sentinel/sentinel.h"
#include "unit/api/world.h"

#define CLAIMS	 2000
#define AT_ONCE	 1000 /* of them at most in a turn, on any machine that is not far too fast */
#define RELEASED "/v1/releases"

static void claim_many(struct world *w, int64_t at)
{
	struct claim_request request = {
		.range = { 10000, 10000 + 2 * CLAIMS },
		.uid = geteuid(),
		.cwd = "/",
		.now = at,
	};
	struct claim_result result;
	char id[32];

	assert_int_equal(registry_begin(w->registry), 0);
	for (int i = 0; i < CLAIMS; i++) {
		snprintf(id, sizeof(id), "many:n%d", i);
		request.id = id;
		assert_int_equal(registry_claim(w->registry, &request, NULL, NULL, &result), 0);
	}
	assert_int_equal(registry_commit(w->registry), 0);
}

static int64_t claims_left(struct world *w)
{
	int64_t counts[_SERVICE_STATUS_MAX], sum = 0;

	assert_int_equal(registry_count_services(w->registry, counts), 0);
	for (int s = 0; s < _SERVICE_STATUS_MAX; s++)
		sum += counts[s];
	return sum;
}

/* Turns the loop until the first part is done, and no further. */
static void wait_for_the_first_part(struct world *w)
{
	world_wait(w, claims_left(w) < CLAIMS);
	assert_in_range(claims_left(w), CLAIMS - AT_ONCE, CLAIMS - 1);
}

static void expect_all_released(struct world *w, struct client *c)
{
	const struct answer *a = client_answer(w, c);

	assert_int_equal(a->status, 200);
	assert_int_equal(count_of(a, "released"), CLAIMS);
	assert_int_equal(claims_left(w), 0);
	assert_false(registry_in_batch(w->registry));
}

static void others_are_answered_between_the_parts(struct world *w, const char *path,
						  const char *body)
{
	_cleanup_client_ struct client c = client_new(w);

	client_post(w, &c, path, body);
	wait_for_the_first_part(w);
	assert_int_equal(ask_get(w, "/v1/locks")->status, 200);
	client_read(&c);
	assert_int_equal(answer_size(&c), 0);
	assert_true(claims_left(w) > 0);
	expect_all_released(w, &c);
}

TEST_WITH(a_release_of_many_claims_lets_others_in_between, struct world *w)
{
	claim_many(w, time(NULL));
	others_are_answered_between_the_parts(w, RELEASED, "{\"match\":\"many:*\"}");
}

TEST_WITH(a_cleanup_of_many_claims_lets_others_in_between, struct world *w)
{
	claim_many(w, time(NULL) - 86400);
	others_are_answered_between_the_parts(w, "/v1/cleanups", "{\"olderThan\":\"1h\"}");
}

TEST_WITH(a_dry_run_over_many_claims_counts_each_once, struct world *w)
{
	const struct answer *a;

	claim_many(w, time(NULL) - 86400);
	a = ask_post(w, "/v1/cleanups", "{\"olderThan\":\"1h\",\"dryRun\":true}");
	assert_int_equal(count_of(a, "released"), CLAIMS);
	assert_int_equal(claims_left(w), CLAIMS);
}

TEST_WITH(who_leaves_in_between_leaves_the_rest_claimed, struct world *w)
{
	struct client c = client_new(w);
	int64_t left;

	claim_many(w, time(NULL));
	client_post(w, &c, RELEASED, "{\"match\":\"many:*\"}");
	wait_for_the_first_part(w);
	client_free(&c);
	do {
		ask_get(w, "/v1/locks");
		left = claims_left(w);
		for (int i = 0; i < 50; i++)
			world_turn(w);
	} while (left != claims_left(w));
	assert_true(left > 0);
}

TEST_WITH(what_was_released_before_a_failure_is_said, struct world *w)
{
	_cleanup_client_ struct client c = client_new(w);
	const struct answer *a;
	char command[128];

	claim_many(w, time(NULL));
	client_post(w, &c, RELEASED, "{\"match\":\"many:*\"}");
	wait_for_the_first_part(w);
	while (registry_in_batch(w->registry))
		world_turn(w);
	/* from now on no commit is made */
	snprintf(command, sizeof(command), "mv %s %s.gone", w->database, w->database);
	assert_int_equal(system(command), 0);
	a = client_answer(w, &c);
	assert_int_equal(a->status, 500);
	assert_non_null(
		strstr(json_object_to_json_string(a->body), " claims were released, then: "));
	assert_true(claims_left(w) > 0);
}

TEST_WITH(the_end_of_the_server_ends_the_parts, struct world *w)
{
	_cleanup_client_ struct client c = client_new(w);

	claim_many(w, time(NULL));
	client_post(w, &c, RELEASED, "{\"match\":\"many:*\"}");
	wait_for_the_first_part(w);
}

EACH_TEST_MAIN(world_open, world_close)
/* --- GET /v1/runs --- */

#define MEMBERS 40000 /* more than the kernel side keeps: some slices, however fast the machine */

static uint32_t the_run;

static int crowd(void *user_data, struct run_member **ret, size_t *ret_n)
{
	*ret = calloc(MEMBERS, sizeof(**ret));
	assert_non_null(*ret);
	for (int i = 0; i < MEMBERS; i++)
		(*ret)[i] = (struct run_member){ { 1000000 + (MEMBERS - i), 1 }, the_run };
	*ret_n = MEMBERS;
	return 0;
}

static void begin_crowded_run(struct world *w)
{
	struct kernel_source *kernel = (struct kernel_source *)sentinel_kernel_source(w->sentinel);
	const struct answer *a = ask_post(w, "/v1/runs", "{}");

	assert_ok(a);
	the_run = run_id_parse(text_of(a, "id"));
	kernel->run_members = crowd;
}

/* Somebody else who has something to do in each turn of the loop, until the client is answered. */
struct neighbour {
	struct event *next;
	struct client *client;
	int turns;
};

static void take_turn(evutil_socket_t fd, short what, void *user_data)
{
	static const struct timeval at_once;
	struct neighbour *n = user_data;

	client_read(n->client);
	if (n->client->n)
		return;
	n->turns++;
	event_add(n->next, &at_once);
}

TEST_WITH(members_of_a_crowded_run_are_written_in_slices, struct world *w)
{
	_cleanup_client_ struct client c = client_new(w);
	struct neighbour n = { .client = &c };
	const struct answer *a;
	struct json_object *members;

	begin_crowded_run(w);
	world_turn(w);
	n.next = evtimer_new(w->loop, take_turn, &n);
	event_active(n.next, EV_TIMEOUT, 0);
	client_get(w, &c, "/v1/runs");
	a = client_answer(w, &c);
	event_free(n.next);
	assert_ok(a);
	assert_true(n.turns > 5);

	members = json_object_object_get(a->body, "members");
	assert_int_equal(json_object_array_length(members), MEMBERS);
	for (size_t i = 0; i < MEMBERS; i += MEMBERS / 8)
		assert_int_equal(json_object_get_int(json_object_object_get(
					 json_object_array_get_idx(members, i), "pid")),
				 1000001 + i);
}

TEST_WITH(a_client_that_leaves_between_the_slices_takes_nothing_along, struct world *w)
{
	struct client c = client_new(w);

	begin_crowded_run(w);
	client_get(w, &c, "/v1/runs");
	world_turn(w);
	client_free(&c);
	assert_ok(ask_get(w, "/v1/locks"));
}
