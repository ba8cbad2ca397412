/* SPDX-License-Identifier: MIT */
/* What a claim stores, who may change it, and what is left when it fails. */
#include "unit/registry/claims.h"

#include "base/quota.h"

TEST_WITH(first_claim_gets_the_port_of_its_name, struct fixture *f)
{
	static const struct port_range range = { PORT_RANGE_FIRST, PORT_RANGE_LAST };

	assert_int_equal(fixture_claim(f, "myapp:web", 0), port_candidate("myapp:web", range, 0));
}

TEST_WITH(claim_stores_who_claimed_it, struct fixture *f)
{
	struct claim_request request = fixture_request("myapp:web");
	struct claim_result result;
	struct service_copy found;

	request.health_path = "/health";
	request.ttl_s = 60;
	assert_int_equal(claim(f, &request, &result), 0);
	found = fixture_service(f, "myapp:web");
	assert_int_equal(found.service.port, result.port);
	assert_int_equal(found.service.status, SERVICE_CLAIMED);
	assert_int_equal(found.service.created_at, FIXTURE_NOW);
	assert_int_equal(found.service.updated_at, FIXTURE_NOW);
	assert_int_equal(found.service.expires_at, FIXTURE_NOW + 60);
	assert_string_equal(found.health_path, "/health");
	assert_int_equal(found.service.uid, 1000);
	assert_string_equal(found.cwd, "/home/ann/work");
	assert_int_equal(found.service.sid, 77);
	assert_int_equal(found.service.claimer.pid, 78);
	assert_int_equal(found.service.claimer.start_ticks, 7900);
	assert_true(found.service.same_boot);
	assert_false(found.service.ever_active);
}

TEST_WITH(claim_of_another_boot_is_not_of_this_boot, struct fixture *f)
{
	fixture_claim(f, "web", 0);
	fixture_shell(f, "UPDATE services SET bootId = 'before'");
	assert_false(fixture_service(f, "web").service.same_boot);
}

TEST_WITH(second_claim_keeps_the_port_and_refreshes, struct fixture *f)
{
	uint16_t port = fixture_claim(f, "web", 0);
	struct claim_request request = fixture_request("web");
	struct claim_result result;
	struct service_copy found;

	request.now += 100;
	request.cwd = "/srv/other";
	request.sid = 90;
	assert_int_equal(claim(f, &request, &result), 0);
	assert_true(result.existing);
	assert_int_equal(result.port, port);
	assert_int_equal(result.previous_port, 0);
	found = fixture_service(f, "web");
	assert_int_equal(found.service.created_at, FIXTURE_NOW);
	assert_int_equal(found.service.updated_at, FIXTURE_NOW + 100);
	assert_string_equal(found.cwd, "/srv/other");
	assert_int_equal(found.service.sid, 90);
}

TEST_WITH(claim_that_changes_nothing_writes_nothing, struct fixture *f)
{
	struct claim_request request = fixture_request("web");
	struct claim_result result;
	off_t before;

	assert_int_equal(claim(f, &request, &result), 0);
	before = fixture_log_bytes(f);
	request.now += REGISTRY_TOUCH_STEP_S;
	assert_int_equal(claim(f, &request, &result), 0);
	assert_true(result.existing);
	assert_int_equal(fixture_log_bytes(f), before);
	request.now++;
	assert_int_equal(claim(f, &request, &result), 0);
	assert_int_equal(fixture_service(f, "web").service.updated_at, request.now);
	before = fixture_log_bytes(f);
	request.claimer.pid++;
	assert_int_equal(claim(f, &request, &result), 0);
	assert_true(fixture_log_bytes(f) > before);
	assert_int_equal(fixture_service(f, "web").service.claimer.pid, request.claimer.pid);
}

TEST_WITH(claim_mends_times_that_cannot_be, struct fixture *f)
{
	static const char *const damages[] = {
		"UPDATE services SET updatedAt = NULL",
		"UPDATE services SET updatedAt = 'yesterday'",
		"UPDATE services SET updatedAt = 4000000000", /* in the future */
	};

	fixture_claim(f, "web", 0);
	for (size_t i = 0; i < ARRAY_SIZE(damages); i++) {
		fixture_shell(f, damages[i]);
		fixture_claim(f, "web", 0);
		assert_int_equal(fixture_service(f, "web").service.updated_at, FIXTURE_NOW);
	}
}

TEST_WITH(second_claim_keeps_health_and_ttl_unless_given, struct fixture *f)
{
	struct claim_request request = fixture_request("web");
	struct claim_result result;

	request.health_path = "/h";
	request.ttl_s = 500;
	assert_int_equal(claim(f, &request, &result), 0);
	request.health_path = NULL;
	request.ttl_s = 0;
	request.now += 10;
	assert_int_equal(claim(f, &request, &result), 0);
	assert_string_equal(fixture_service(f, "web").health_path, "/h");
	assert_int_equal(fixture_service(f, "web").service.expires_at, FIXTURE_NOW + 500);
	request.health_path = "/new";
	request.ttl_s = 20;
	assert_int_equal(claim(f, &request, &result), 0);
	assert_string_equal(fixture_service(f, "web").health_path, "/new");
	assert_int_equal(fixture_service(f, "web").service.expires_at, FIXTURE_NOW + 30);
}

TEST_WITH(claim_of_an_expired_service_does_not_expire, struct fixture *f)
{
	struct claim_request request = fixture_request("web");
	struct claim_result result;

	request.ttl_s = 5;
	assert_int_equal(claim(f, &request, &result), 0);
	request.ttl_s = 0;
	request.now += 6;
	assert_int_equal(claim(f, &request, &result), 0);
	assert_int_equal(fixture_service(f, "web").service.expires_at, 0);
}

TEST_WITH(second_claim_asks_for_its_own_port_alone, struct fixture *f)
{
	static struct kernel_view view;
	uint16_t port = fixture_claim(f, "web", 0);
	struct claim_request request = fixture_request("web");
	struct claim_result result;

	assert_int_equal(claim_in(f, &request, &view, &result), 0);
	assert_int_equal(view.asked, 1);
	assert_int_equal(result.port, port);
}

TEST_WITH(claim_of_a_ghost_counts_as_claimed_again, struct fixture *f)
{
	fixture_claim(f, "web", 0);
	fixture_set_status(f, "web", SERVICE_ACTIVE);
	fixture_set_status(f, "web", SERVICE_GHOST);
	fixture_claim(f, "web", 0);
	assert_int_equal(fixture_service(f, "web").service.status, SERVICE_CLAIMED);
	assert_false(fixture_service(f, "web").service.ever_active);
}

TEST_WITH(claim_of_an_active_service_leaves_it_active, struct fixture *f)
{
	fixture_claim(f, "web", 0);
	fixture_set_status(f, "web", SERVICE_ACTIVE);
	fixture_claim(f, "web", 0);
	assert_int_equal(fixture_service(f, "web").service.status, SERVICE_ACTIVE);
	assert_true(fixture_service(f, "web").service.ever_active);
}

static uint16_t claim_as(struct fixture *f, const char *name, uid_t uid, const char *stored)
{
	struct claim_request request = fixture_request(name);
	struct claim_result result;

	request.uid = uid;
	assert_int_equal(claim(f, &request, &result), 0);
	assert_string_equal(result.id, stored);
	return result.port;
}

TEST_WITH(each_user_has_a_service_of_that_name, struct fixture *f)
{
	uint16_t first = claim_as(f, "shop:web", 1000, "shop:web");
	uint16_t second = claim_as(f, "shop:web", 4000000, "shop:web@4000000");

	assert_int_not_equal(first, second);
	fixture_reopen(f);
	assert_int_not_equal(claim_as(f, "shop:web", 0, "shop:web@root"), first);
	assert_int_equal(claim_as(f, "shop:web", 1000, "shop:web"), first);
	assert_int_equal(claim_as(f, "shop:web", 4000000, "shop:web@4000000"), second);
	assert_int_equal(fixture_service(f, "shop:web@4000000").service.uid, 4000000);
}

TEST_WITH(a_users_port_is_remembered_by_whichever_id, struct fixture *f)
{
	uint16_t first = claim_as(f, "shop:web", 1000, "shop:web"), second;

	fixture_release(f, "shop:web");
	claim_as(f, "shop:web", 4000000, "shop:web");
	fixture_release(f, "shop:web");
	assert_int_equal(claim_as(f, "shop:web", 1000, "shop:web"), first);
	claim_as(f, "shop:web", 4000000, "shop:web@4000000");
	fixture_expect(f, "SELECT count(*) FROM ports WHERE id = 'shop:web'", "2");
	second = fixture_service(f, "shop:web@4000000").service.port;
	fixture_release(f, "shop:web");
	fixture_release(f, "shop:web@4000000");
	assert_int_equal(claim_as(f, "shop:web", 4000000, "shop:web"), second);
}

static void expect_meant(struct fixture *f, const char *name, uid_t uid, const char *id)
{
	char found[IDENTITY_MAX + 1];

	assert_int_equal(registry_meant_id(f->registry, name, uid, found), 0);
	assert_string_equal(found, id);
}

static void expect_shown(struct fixture *f, const char *id, uid_t owner, uid_t viewer,
			 const char *shown)
{
	char text[IDENTITY_MAX + 1];

	assert_string_equal(registry_shown_id(f->registry, id, owner, viewer, text), shown);
}

TEST_WITH(a_name_means_ones_own_service, struct fixture *f)
{
	claim_as(f, "web", 4000001, "web");
	expect_meant(f, "web", 4000000, "web"); /* the only one there is */
	claim_as(f, "web", 4000000, "web@4000000");
	claim_as(f, "web-2", 4000000, "web-2");
	expect_meant(f, "web", 4000000, "web@4000000");
	expect_meant(f, "web", 4000001, "web");
	expect_meant(f, "web", 4000002, "web");
	expect_meant(f, "web@4000001", 4000000, "web");
	expect_meant(f, "web@4000000", 4000001, "web@4000000");
	expect_meant(f, "web@4000009", 4000001, "web@4000009");
	expect_meant(f, "none", 4000001, "none");
}

TEST_WITH(ones_own_service_is_shown_without_its_user, struct fixture *f)
{
	claim_as(f, "web", 4000001, "web");
	expect_shown(f, "web", 4000001, 4000000, "web");
	claim_as(f, "web", 4000000, "web@4000000");
	expect_shown(f, "web@4000000", 4000000, 4000000, "web");
	expect_shown(f, "web@4000000", 4000000, 4000001, "web@4000000");
	expect_shown(f, "web", 4000001, 4000001, "web");
	expect_shown(f, "web", 4000001, 4000000, "web@4000001"); /* his own is "web" to him */
	expect_shown(f, "web", 4000001, 4000002, "web");
}

TEST_WITH(release_of_nothing_says_no, struct fixture *f)
{
	assert_in_batch(f, registry_release(f->registry, "web", FIXTURE_NOW), OUTCOME_NO);
}

TEST_WITH(illegal_requests_are_refused, struct fixture *f)
{
	struct claim_request bad_id = fixture_request("a b");
	struct claim_request bad_range = fixture_request("web");
	struct claim_request bad_ttl = fixture_request("web");
	struct claim_result result;

	bad_range.range = (struct port_range){ 5000, 4000 };
	bad_ttl.ttl_s = INT64_MAX;
	assert_int_equal(claim(f, &bad_id, &result), -EINVAL);
	assert_int_equal(claim(f, &bad_range, &result), -EINVAL);
	assert_int_equal(claim(f, &bad_ttl, &result), -EINVAL);
	fixture_expect(f, "SELECT count(*) FROM services", "0");
}

TEST_WITH(write_outside_of_a_batch_is_refused, struct fixture *f)
{
	struct claim_request request = fixture_request("web");
	struct claim_result result;

	assert_false(registry_in_batch(f->registry));
	assert_int_equal(registry_claim(f->registry, &request, NULL, NULL, &result), -EINVAL);
	assert_int_equal(registry_release(f->registry, "web", 1), -EINVAL);
	assert_int_equal(registry_set_status(f->registry, "web", 0, true, 1), -EINVAL);
	assert_int_equal(registry_mark_alive(f->registry, 1), -EINVAL);
}

TEST_WITH(claims_of_one_batch_see_each_other, struct fixture *f)
{
	struct claim_request request;
	struct claim_result result;
	bool seen[8] = { false };
	char id[16];

	fixture_begin(f);
	for (int i = 0; i < 8; i++) {
		snprintf(id, sizeof(id), "s%d", i);
		request = fixture_request(id);
		request.range = small_range;
		assert_int_equal(registry_claim(f->registry, &request, NULL, NULL, &result), 0);
		assert_false(seen[result.port - 4000]);
		seen[result.port - 4000] = true;
	}
	fixture_commit(f);
	assert_int_equal(registry_counters(f->registry).commits, 1);
}

TEST_WITH(uncommitted_claims_are_gone_after_close, struct fixture *f)
{
	fixture_begin_claim(f, "web", 0);
	fixture_reopen(f);
	fixture_expect_none(f, "web");
}

TEST_WITH(claim_that_cannot_be_taken_back_takes_the_batch_with_it, struct fixture *f)
{
	struct claim_request request = fixture_request("other");
	struct claim_result result;

	fixture_shell(f, "CREATE TRIGGER t BEFORE INSERT ON ports WHEN NEW.id = 'web' "
			 "BEGIN SELECT RAISE(ABORT, 'no'); END;"
			 "CREATE TRIGGER u BEFORE DELETE ON services "
			 "BEGIN SELECT RAISE(ABORT, 'no'); END");
	fixture_begin(f);
	assert_int_equal(registry_claim(f->registry, &request, NULL, NULL, &result), 0);
	request.id = "web";
	assert_true(registry_claim(f->registry, &request, NULL, NULL, &result) < 0);
	assert_true(registry_commit(f->registry) < 0);
	fixture_expect(f, "SELECT count(*) FROM services", "0");
	fixture_begin(f);
	request.id = "other";
	assert_int_equal(registry_claim(f->registry, &request, NULL, NULL, &result), 0);
	fixture_commit(f);
	fixture_expect(f, "SELECT group_concat(id) FROM services", "other");
}

/* --- how many a user may have --- */

#define MOST ((int)quota_limit(QUOTA_CLAIMS)->per_user)

/* In the open batch; what registry_claim() returns. */
static int try_claim(struct fixture *f, const char *id, uid_t uid, struct claim_result *ret)
{
	struct claim_request request = fixture_request(id);

	request.uid = uid;
	return registry_claim(f->registry, &request, NULL, NULL, ret);
}

static void claim_all_that_a_user_may(struct fixture *f, uid_t uid)
{
	struct claim_result result;
	char id[32];

	fixture_begin(f);
	for (int i = 0; i < MOST; i++) {
		snprintf(id, sizeof(id), "flood:n%d", i);
		assert_int_equal(try_claim(f, id, uid, &result), 0);
	}
	assert_int_equal(try_claim(f, "flood:more", uid, &result), OUTCOME_TOO_LARGE);
	assert_int_equal(result.over, QUOTA_OVER_USER);
	fixture_commit(f);
}

TEST_WITH(a_user_who_claims_in_a_loop_leaves_ports_for_others, struct fixture *f)
{
	struct claim_result result;

	claim_all_that_a_user_may(f, 1000);
	fixture_begin(f);
	assert_int_equal(try_claim(f, "flood:n7", 1000, &result), 0);
	assert_true(result.existing);
	assert_int_equal(try_claim(f, "victim:web", 1001, &result), 0);
	assert_int_equal(try_claim(f, "root:web", 0, &result), 0);
	assert_int_equal(registry_release(f->registry, "flood:n7", FIXTURE_NOW), 0);
	assert_int_equal(try_claim(f, "flood:other", 1000, &result), 0);
	assert_int_equal(try_claim(f, "flood:more", 1000, &result), OUTCOME_TOO_LARGE);
	fixture_commit(f);
	fixture_reopen(f);
	assert_in_batch(f, try_claim(f, "flood:more", 1000, &result), OUTCOME_TOO_LARGE);
}

TEST_WITH(what_people_delete_and_what_is_undone_counts_no_more, struct fixture *f)
{
	struct claim_result result;

	claim_all_that_a_user_may(f, 1000);
	fixture_shell(f, "DELETE FROM services WHERE id IN ('flood:n1', 'flood:n2')");
	for (int i = 0; i < 3; i++) {
		fixture_begin(f);
		assert_int_equal(registry_group_begin(f->registry), 0);
		assert_int_equal(try_claim(f, "undone:a", 1000, &result), 0);
		assert_int_equal(try_claim(f, "undone:b", 1000, &result), 0);
		assert_int_equal(try_claim(f, "undone:c", 1000, &result), OUTCOME_TOO_LARGE);
		assert_int_equal(registry_group_end(f->registry, true), 0);
		fixture_commit(f);
	}
}

TEST_WITH(a_row_whose_port_is_none_is_mended_and_counted_once, struct fixture *f)
{
	struct claim_result result;

	claim_all_that_a_user_may(f, 1000);
	fixture_shell(f, "UPDATE services SET port = NULL WHERE id = 'flood:n1'");
	fixture_begin(f);
	assert_int_equal(try_claim(f, "flood:n1", 1000, &result), 0);
	assert_int_equal(try_claim(f, "flood:more", 1000, &result), OUTCOME_TOO_LARGE);
	assert_int_equal(registry_release(f->registry, "flood:n1", FIXTURE_NOW), 0);
	assert_int_equal(try_claim(f, "flood:more", 1000, &result), 0);
	fixture_commit(f);
}

TEST_WITH(root_is_bound_by_the_ports_alone, struct fixture *f)
{
	struct claim_result result;
	char id[32];

	fixture_begin(f);
	for (int i = 0; i <= MOST; i++) {
		snprintf(id, sizeof(id), "root:n%d", i);
		assert_int_equal(try_claim(f, id, 0, &result), 0);
	}
	fixture_commit(f);
}

EACH_TEST_MAIN(fixture_setup, fixture_teardown)
