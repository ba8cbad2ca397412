/* SPDX-License-Identifier: MIT */
/* Claims that are asked for together, ended, and cleaned up. */
#include "world.h"

#include "base/outcome.h"
#include "tracker/claim.h"
#include "tracker/cleanup.h"

static struct claim_batch batch_of(struct claim_order *orders, size_t n, uid_t uid)
{
	return (struct claim_batch){
		.cwd = CLAIM_CWD,
		.uid = uid,
		.now = time(NULL),
		.orders = orders,
		.n = n,
	};
}

static bool is_claimed(struct world *w, uint16_t port)
{
	struct service service;

	return registry_service_by_port(w->registry, port, keep_service, &service) == 0;
}

TEST_WITH(several_claims_stand_with_an_entry_each, struct world *w)
{
	struct claim_order orders[] = { { .id = "shop:api" }, { .id = "shop:db" } };
	struct claim_batch batch = batch_of(orders, 2, CLAIM_UID);

	assert_int_equal(claim_make_all(w->tracker, &batch), 0);
	assert_int_not_equal(orders[0].result.port, orders[1].result.port);
	for (size_t i = 0; i < 2; i++) {
		assert_true(is_claimed(w, orders[i].result.port));
		assert_int_equal(orders[i].status, SERVICE_CLAIMED);
	}
	assert_int_equal(w->entries, 2);
}

TEST_WITH(of_several_claims_none_stands_where_one_is_refused, struct world *w)
{
	struct claim_order orders[] = { { .id = "shop:api" }, { .id = "shop:db" } };
	struct claim_batch batch = batch_of(orders, 2, CLAIM_UID + 1);

	batch.range = (struct port_range){ 4000, 4000 };
	assert_int_equal(claim_make_all(w->tracker, &batch), OUTCOME_NO_FREE_PORT);
	assert_ptr_equal(batch.refused, &orders[1]);
	assert_false(is_claimed(w, orders[0].result.port));
	assert_int_equal(w->entries, 0);
}

TEST_WITH(a_port_that_is_claimed_is_refused_with_whose_it_is, struct world *w)
{
	struct claim_order order = { .id = "shop:api" };
	struct claim_batch batch = batch_of(&order, 1, CLAIM_UID);

	batch.port = PORT;
	assert_int_equal(claim_make_all(w->tracker, &batch), OUTCOME_CONFLICT);
	assert_string_equal(order.result.holder_id, ID);
}

TEST_WITH(a_port_that_a_process_has_is_refused_with_who_it_is, struct world *w)
{
	const struct release_actor actor = { 1, CLAIM_UID, "pd" };
	const struct service claimed = { .id = ID, .port = PORT };
	struct claim_order order = { .id = "shop:api" };
	struct claim_batch batch = batch_of(&order, 1, CLAIM_UID);

	start_server(w, "/elsewhere", CLAIM_UID + 1);
	turn_until(w, SERVICE_SQUATTED);
	assert_int_equal(claim_release(w->tracker, &claimed, NULL, &actor, time(NULL)), 0);
	batch.port = PORT;
	assert_int_equal(claim_make_all(w->tracker, &batch), OUTCOME_CONFLICT);
	assert_string_equal(order.result.holder_id, "");
	assert_true(batch.holder.seen);
	assert_int_equal(batch.holder.uid, CLAIM_UID + 1);
}

TEST_WITH(a_claim_that_gets_another_port_knows_who_has_its_home, struct world *w)
{
	struct claim_order order = { .id = ID };
	struct claim_batch batch = batch_of(&order, 1, CLAIM_UID);

	start_server(w, "/elsewhere", CLAIM_UID + 1);
	turn_until(w, SERVICE_SQUATTED);
	assert_int_equal(claim_make_all(w->tracker, &batch), 0);
	assert_int_equal(order.result.home, PORT);
	assert_int_not_equal(order.result.port, PORT);
	assert_true(order.around.home.seen);
	assert_int_equal(order.around.home.uid, CLAIM_UID + 1);
	assert_non_null(strstr(order.around.home.where, "listening on "));
	assert_false(order.around.port.seen || order.around.left.seen);
	assert_false(order.around.may_be_refused);
}

/* The server came and the batch in which its claim had gone is undone: the row is as it was, and
 * what was seen meanwhile counts again. */
TEST_WITH(after_a_batch_that_is_undone_its_claims_are_judged_again, struct world *w)
{
	const struct release_actor actor = { 1, CLAIM_UID, "pd" };
	const struct service claimed = { .id = ID, .port = PORT };
	char elsewhere[96];

	assert_int_equal(commit(w), 0);
	assert_int_equal(claim_release(w->tracker, &claimed, NULL, &actor, time(NULL)), 0);
	assert_false(is_claimed(w, PORT));
	start_server(w, CLAIM_CWD, CLAIM_UID);
	/* a commit that does not find the database undoes the batch */
	snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", w->dir);
	assert_int_equal(rename(w->database, elsewhere), 0);
	assert_int_equal(commit(w), -ESTALE);
	assert_int_equal(rename(elsewhere, w->database), 0);
	assert_status(w, SERVICE_CLAIMED);
	tracker_batch_ended(w->tracker, true);
	assert_status(w, SERVICE_ACTIVE);
}

/* --- cleaning up --- */

static int count_due(const struct service *s, enum service_status status, int64_t age_s,
		     void *user_data)
{
	++*(int *)user_data;
	return 0;
}

static struct cleanup cleanup_of(uid_t uid, int *due)
{
	return (struct cleanup){
		.older_than_s = 3600,
		.actor = { 1, uid, "pd" },
		.now = time(NULL) + 7200,
		.due = count_due,
		.user_data = due,
	};
}

static int clean_up(struct world *w, struct cleanup *c)
{
	bool more = true;
	int r = 0;

	*c->last = '\0';
	while (!r && more)
		r = cleanup_next(w->tracker, c, &more);
	return r ? r : cleanup_end(w->tracker, c);
}

TEST_WITH(an_old_claim_is_cleaned_up_and_a_dry_run_only_tells, struct world *w)
{
	int due = 0;
	struct cleanup c = cleanup_of(CLAIM_UID, &due);

	c.dry_run = true;
	assert_int_equal(clean_up(w, &c), 0);
	assert_int_equal(due, 1);
	assert_true(is_claimed(w, PORT));
	assert_int_equal(w->entries, 0);
	c.dry_run = false;
	assert_int_equal(clean_up(w, &c), 0);
	assert_int_equal(due, 2);
	assert_false(is_claimed(w, PORT));
	assert_int_equal(w->entries, 2); /* of the release, and of the cleanup */
}

TEST_WITH(a_claim_of_another_user_is_left_and_counted, struct world *w)
{
	int due = 0;
	struct cleanup c = cleanup_of(CLAIM_UID + 1, &due);

	assert_int_equal(clean_up(w, &c), 0);
	assert_int_equal(due, 0);
	assert_int_equal(c.others, 1);
	assert_true(is_claimed(w, PORT));
}

TEST_WITH(a_cleanup_of_another_project_asks_about_none, struct world *w)
{
	int due = 0;
	struct cleanup c = cleanup_of(CLAIM_UID, &due);

	c.project = "sho";
	assert_int_equal(clean_up(w, &c), 0);
	assert_int_equal(due, 0);
	assert_int_equal(c.younger + c.in_use + c.others, 0);
}

EACH_TEST_IN_NETNS_MAIN(open_with_claim, world_close)
