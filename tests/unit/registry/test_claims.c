/* SPDX-License-Identifier: MIT */
#include "unit/registry/fixture.h"

#include "base/procfs.h"

static const struct port_range small_range = { 4000, 4007 };

static bool refuse_even(uint16_t port, void *user_data)
{
	return port % 2 == 1;
}

static bool refuse_all(uint16_t port, void *user_data)
{
	(*(unsigned *)user_data)++;
	return false;
}

static int claim(struct fixture *f, const struct claim_request *request, struct claim_result *ret)
{
	int error;

	fixture_begin(f);
	error = registry_claim(f->registry, request, NULL, NULL, ret);
	fixture_commit(f);
	return error;
}

static void first_claim_gets_the_port_of_its_name(void **state)
{
	static const struct port_range range = { PORT_RANGE_FIRST, PORT_RANGE_LAST };

	assert_int_equal(fixture_claim(*state, "myapp:web", 0),
			 port_candidate("myapp:web", range, 0));
}

static void claim_stores_who_claimed_it(void **state)
{
	struct fixture *f = *state;
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

static void claim_of_another_boot_is_not_of_this_boot(void **state)
{
	struct fixture *f = *state;

	fixture_claim(f, "web", 0);
	fixture_shell(f, "UPDATE services SET bootId = 'before'");
	assert_false(fixture_service(f, "web").service.same_boot);
}

static void second_claim_keeps_the_port_and_refreshes(void **state)
{
	struct fixture *f = *state;
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

static void second_claim_keeps_health_and_ttl_unless_given(void **state)
{
	struct fixture *f = *state;
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

static void claim_of_an_expired_service_does_not_expire(void **state)
{
	struct fixture *f = *state;
	struct claim_request request = fixture_request("web");
	struct claim_result result;

	request.ttl_s = 5;
	assert_int_equal(claim(f, &request, &result), 0);
	request.ttl_s = 0;
	request.now += 6;
	assert_int_equal(claim(f, &request, &result), 0);
	assert_int_equal(fixture_service(f, "web").service.expires_at, 0);
}

static void second_claim_asks_nobody_whether_its_own_port_is_usable(void **state)
{
	struct fixture *f = *state;
	uint16_t port = fixture_claim(f, "web", 0);
	struct claim_request request = fixture_request("web");
	struct claim_result result;
	unsigned asked = 0;

	fixture_begin(f);
	assert_int_equal(registry_claim(f->registry, &request, refuse_all, &asked, &result), 0);
	request.port = port;
	assert_int_equal(registry_claim(f->registry, &request, refuse_all, &asked, &result), 0);
	fixture_commit(f);
	assert_int_equal(asked, 0);
	assert_int_equal(result.port, port);
}

static void claim_of_a_ghost_counts_as_claimed_again(void **state)
{
	struct fixture *f = *state;

	fixture_claim(f, "web", 0);
	fixture_begin(f);
	assert_int_equal(registry_set_status(f->registry, "web", SERVICE_ACTIVE, true, 1), 0);
	assert_int_equal(registry_set_status(f->registry, "web", SERVICE_GHOST, true, 2), 0);
	fixture_commit(f);
	fixture_claim(f, "web", 0);
	assert_int_equal(fixture_service(f, "web").service.status, SERVICE_CLAIMED);
	assert_false(fixture_service(f, "web").service.ever_active);
}

static void claim_of_an_active_service_leaves_it_active(void **state)
{
	struct fixture *f = *state;

	fixture_claim(f, "web", 0);
	fixture_begin(f);
	assert_int_equal(registry_set_status(f->registry, "web", SERVICE_ACTIVE, true, 1), 0);
	fixture_commit(f);
	fixture_claim(f, "web", 0);
	assert_int_equal(fixture_service(f, "web").service.status, SERVICE_ACTIVE);
	assert_true(fixture_service(f, "web").service.ever_active);
}

static void claim_of_another_users_service_is_not_allowed(void **state)
{
	struct fixture *f = *state;
	uint16_t port = fixture_claim(f, "web", 0);
	struct claim_request request = fixture_request("web");
	struct claim_result result;

	request.uid = 1001;
	assert_int_equal(claim(f, &request, &result), OUTCOME_NOT_ALLOWED);
	assert_int_equal(result.holder_uid, 1000);
	assert_int_equal(fixture_service(f, "web").service.port, port);
	assert_int_equal(fixture_service(f, "web").service.uid, 1000);
}

static void root_refreshes_a_users_claim_and_leaves_it_theirs(void **state)
{
	struct fixture *f = *state;
	uint16_t port = fixture_claim(f, "web", 0);
	struct claim_request request = fixture_request("web");
	struct claim_result result;

	request.uid = 0;
	request.cwd = "/root";
	request.now += 9;
	assert_int_equal(claim(f, &request, &result), 0);
	assert_int_equal(result.port, port);
	assert_int_equal(fixture_service(f, "web").service.uid, 1000);
	assert_int_equal(fixture_service(f, "web").service.updated_at, FIXTURE_NOW + 9);
	assert_string_equal(fixture_service(f, "web").cwd, "/home/ann/work");
}

static void exact_port_is_given(void **state)
{
	assert_int_equal(fixture_claim(*state, "web", 443), 443);
}

static void claim_of_taken_port_names_the_holder(void **state)
{
	struct fixture *f = *state;
	struct claim_request request = fixture_request("other");
	struct claim_result result;

	fixture_claim(f, "web", 5000);
	request.port = 5000;
	assert_int_equal(claim(f, &request, &result), OUTCOME_CONFLICT);
	assert_string_equal(result.holder_id, "web");
	assert_int_equal(result.port, 5000);
	assert_int_equal(registry_service_by_id(f->registry, "other", service_copy_visit, NULL),
			 OUTCOME_NO);
}

static void claim_of_unusable_port_names_no_holder(void **state)
{
	struct fixture *f = *state;
	struct claim_request request = fixture_request("web");
	struct claim_result result;

	request.port = 5000;
	fixture_begin(f);
	assert_int_equal(registry_claim(f->registry, &request, refuse_even, NULL, &result),
			 OUTCOME_CONFLICT);
	fixture_commit(f);
	assert_string_equal(result.holder_id, "");
}

static void exact_port_moves_an_existing_claim(void **state)
{
	struct fixture *f = *state;
	uint16_t port = fixture_claim(f, "web", 0);
	struct claim_request request = fixture_request("web");
	struct claim_result result;

	request.port = 5000;
	assert_int_equal(claim(f, &request, &result), 0);
	assert_true(result.existing);
	assert_int_equal(result.port, 5000);
	assert_int_equal(result.previous_port, port);
	assert_int_equal(registry_port_ever_claimed(f->registry, port), 1);
	assert_int_equal(fixture_claim(f, "other", port), port);
}

static void refused_move_leaves_the_claim_where_it_was(void **state)
{
	struct fixture *f = *state;
	uint16_t port = fixture_claim(f, "web", 0);
	struct claim_request request = fixture_request("web");
	struct claim_result result;

	fixture_claim(f, "other", 5000);
	request.port = 5000;
	assert_int_equal(claim(f, &request, &result), OUTCOME_CONFLICT);
	assert_int_equal(fixture_service(f, "web").service.port, port);
}

static void unusable_candidates_are_passed_over(void **state)
{
	struct fixture *f = *state;
	struct claim_request request = fixture_request("web");
	struct claim_result result;

	request.range = small_range;
	fixture_begin(f);
	assert_int_equal(registry_claim(f->registry, &request, refuse_even, NULL, &result), 0);
	fixture_commit(f);
	assert_int_equal(result.port % 2, 1);
	assert_in_range(result.port, 4000, 4007);
}

static void full_range_has_no_free_port(void **state)
{
	struct fixture *f = *state;
	struct claim_request request = fixture_request("last");
	struct claim_result result;
	unsigned asked = 0;
	char id[16];

	for (int i = 0; i < 8; i++) {
		snprintf(id, sizeof(id), "s%d", i);
		fixture_claim(f, id, (uint16_t)(4000 + i));
	}
	request.range = small_range;
	fixture_begin(f);
	assert_int_equal(registry_claim(f->registry, &request, refuse_all, &asked, &result),
			 OUTCOME_NO_FREE_PORT);
	fixture_commit(f);
	assert_int_equal(asked, 0);
}

static void range_of_a_claim_is_kept_for_its_next_move(void **state)
{
	struct fixture *f = *state;
	struct claim_request request = fixture_request("web");
	struct claim_result result;

	request.range = small_range;
	assert_int_equal(claim(f, &request, &result), 0);
	fixture_shell(f, "UPDATE services SET port = NULL; DELETE FROM ports");
	request.range = (struct port_range){ 0 };
	assert_int_equal(claim(f, &request, &result), 0);
	assert_in_range(result.port, 4000, 4007);
}

static void released_port_is_remembered(void **state)
{
	struct fixture *f = *state;

	fixture_claim(f, "web", 3000);
	fixture_release(f, "web");
	assert_int_equal(fixture_claim(f, "web", 0), 3000);
}

static void released_port_is_remembered_after_another_had_it(void **state)
{
	struct fixture *f = *state;

	fixture_claim(f, "web", 3000);
	fixture_release(f, "web");
	fixture_claim(f, "other", 3000);
	fixture_release(f, "other");
	fixture_reopen(f);
	assert_int_equal(fixture_claim(f, "web", 0), 3000);
}

static void remembered_port_outside_of_the_asked_range_is_not_given(void **state)
{
	struct fixture *f = *state;
	struct claim_request request = fixture_request("web");
	struct claim_result result;

	fixture_claim(f, "web", 3000);
	fixture_release(f, "web");
	request.range = small_range;
	assert_int_equal(claim(f, &request, &result), 0);
	assert_in_range(result.port, 4000, 4007);
}

static void remembered_port_that_is_unusable_is_not_given(void **state)
{
	struct fixture *f = *state;
	struct claim_request request = fixture_request("web");
	struct claim_result result;

	fixture_claim(f, "web", 3000);
	fixture_release(f, "web");
	fixture_begin(f);
	assert_int_equal(registry_claim(f->registry, &request, refuse_even, NULL, &result), 0);
	fixture_commit(f);
	assert_int_equal(result.port % 2, 1);
}

static void last_of_several_ports_is_remembered(void **state)
{
	struct fixture *f = *state;

	fixture_claim(f, "web", 6000);
	fixture_claim(f, "web", 5000);
	fixture_release(f, "web");
	assert_int_equal(fixture_claim(f, "web", 0), 5000);
	fixture_claim(f, "web", 6000);
	fixture_release(f, "web");
	assert_int_equal(fixture_claim(f, "web", 0), 6000);
}

static void release_of_nothing_says_no(void **state)
{
	struct fixture *f = *state;

	fixture_begin(f);
	assert_int_equal(registry_release(f->registry, "web", FIXTURE_NOW), OUTCOME_NO);
	fixture_commit(f);
}

static void illegal_requests_are_refused(void **state)
{
	struct fixture *f = *state;
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

static void write_outside_of_a_batch_is_refused(void **state)
{
	struct fixture *f = *state;
	struct claim_request request = fixture_request("web");
	struct claim_result result;

	assert_false(registry_in_batch(f->registry));
	assert_int_equal(registry_claim(f->registry, &request, NULL, NULL, &result), -EINVAL);
	assert_int_equal(registry_release(f->registry, "web", 1), -EINVAL);
	assert_int_equal(registry_set_status(f->registry, "web", 0, true, 1), -EINVAL);
	assert_int_equal(registry_mark_alive(f->registry, 1), -EINVAL);
}

static void claims_of_one_batch_see_each_other(void **state)
{
	struct fixture *f = *state;
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

static void uncommitted_claims_are_gone_after_close(void **state)
{
	struct fixture *f = *state;
	struct claim_request request = fixture_request("web");
	struct claim_result result;

	fixture_begin(f);
	assert_int_equal(registry_claim(f->registry, &request, NULL, NULL, &result), 0);
	fixture_reopen(f);
	assert_int_equal(registry_service_by_id(f->registry, "web", service_copy_visit, NULL),
			 OUTCOME_NO);
}

static void port_claimed_by_hand_is_not_given(void **state)
{
	struct fixture *f = *state;
	uint16_t port = fixture_claim(f, "web", 0);
	char sql[128];

	fixture_release(f, "web");
	snprintf(sql, sizeof(sql), "INSERT INTO services(id, port) VALUES('hand', %u)", port);
	fixture_shell(f, sql);
	assert_true(fixture_claim(f, "web", 0) != port);
	assert_int_equal(fixture_service(f, "hand").service.port, port);
}

static void changes_of_a_shell_are_noticed_once(void **state)
{
	struct fixture *f = *state;

	fixture_claim(f, "web", 0);
	assert_false(registry_changed_by_others(f->registry));
	fixture_shell(f, "UPDATE services SET healthPath = '/x'");
	assert_true(registry_changed_by_others(f->registry));
	assert_false(registry_changed_by_others(f->registry));
}

static void shell_in_a_read_transaction_does_not_stop_claims(void **state)
{
	struct fixture *f = *state;
	sqlite3 *shell;

	assert_int_equal(sqlite3_open(f->path, &shell), SQLITE_OK);
	assert_int_equal(sqlite3_exec(shell, "BEGIN; SELECT * FROM services", NULL, NULL, NULL), 0);
	fixture_claim(f, "web", 0);
	sqlite3_close(shell);
}

static void shell_in_a_write_transaction_makes_begin_busy(void **state)
{
	struct fixture *f = *state;
	sqlite3 *shell;

	assert_int_equal(sqlite3_open(f->path, &shell), SQLITE_OK);
	assert_int_equal(sqlite3_exec(shell, "BEGIN IMMEDIATE", NULL, NULL, NULL), 0);
	assert_int_equal(registry_begin(f->registry), -EBUSY);
	assert_false(registry_in_batch(f->registry));
	assert_int_equal(sqlite3_exec(shell, "ROLLBACK", NULL, NULL, NULL), 0);
	sqlite3_close(shell);
	fixture_claim(f, "web", 0);
}

static void reads_that_were_begun_see_one_state_until_their_end(void **state)
{
	struct fixture *f = *state;

	fixture_claim(f, "web", 0);
	registry_read_begin(f->registry);
	assert_null(fixture_service(f, "web").service.health_path);
	fixture_shell(f, "UPDATE services SET healthPath = '/x'");
	assert_null(fixture_service(f, "web").service.health_path);
	registry_read_end(f->registry);
	assert_non_null(fixture_service(f, "web").service.health_path);
}

/* A claim's status may be put right while services are listed. */
static void a_batch_ends_reads_that_were_begun(void **state)
{
	struct fixture *f = *state;
	uint16_t port;

	registry_read_begin(f->registry);
	registry_read_begin(f->registry);
	port = fixture_claim(f, "web", 0);
	assert_int_equal(fixture_service(f, "web").service.port, port);
	registry_read_end(f->registry);
	fixture_begin(f);
	registry_read_begin(f->registry);
	registry_read_end(f->registry);
	assert_true(registry_in_batch(f->registry));
	fixture_commit(f);
}

struct id_list {
	char text[512];
	int stop_after;
};

static bool append_id(const struct service *service, void *user_data)
{
	struct id_list *list = user_data;
	size_t n = strlen(list->text);

	snprintf(list->text + n, sizeof(list->text) - n, "%s ", service->id);
	return --list->stop_after != 0;
}

static void expect_ids(struct fixture *f, struct service_filter filter, const char *expected)
{
	struct id_list list = { .stop_after = -1 };

	assert_int_equal(registry_for_each_service(f->registry, &filter, append_id, &list), 0);
	assert_string_equal(list.text, expected);
}

/* Text in integers, NULLs, illegal names, ports out of range, a blob as a name: all of it typed. */
static void rows_that_violate_the_rules_are_skipped(void **state)
{
	struct fixture *f = *state;

	fixture_claim(f, "good", 0);
	fixture_shell(f, "INSERT INTO services(id, port) VALUES('bad name', 4100), (NULL, 4101), "
			 "('p:zero', 0), ('p:big', 70000), ('p:neg', -1), ('p:text', 'abc'), "
			 "('p:null', NULL), ('p:real', 3100.5), (x'00ff', 4102), "
			 "('p:\xff', 4103), ('', 4104)");
	expect_ids(f, (struct service_filter){ .status = -1 }, "good ");
	assert_int_equal(registry_service_by_id(f->registry, "p:big", service_copy_visit, NULL),
			 OUTCOME_NO);
	assert_int_equal(registry_service_by_port(f->registry, 4100, service_copy_visit, NULL),
			 OUTCOME_NO);
}

static void odd_values_of_a_legal_row_are_clamped(void **state)
{
	struct fixture *f = *state;
	struct service_copy found;

	fixture_shell(f, "INSERT INTO services VALUES('odd', 4100, 'x', -5, x'ff', 'weird', -3, "
			 "NULL, 'y', 99999999999, -1, NULL, 'z', 9223372036854775807, 9, 2)");
	found = fixture_service(f, "odd");
	assert_int_equal(found.service.status, SERVICE_CLAIMED);
	assert_int_equal(found.service.created_at, 0);
	assert_int_equal(found.service.updated_at, 0);
	assert_int_equal(found.service.expires_at, 0);
	assert_false(found.has_health_path);
	assert_int_equal(found.service.uid, geteuid()); /* who owns the file */
	assert_string_equal(found.cwd, "");
	assert_int_equal(found.service.sid, 0);
	assert_int_equal(found.service.claimer.pid, 0);
	assert_int_equal(found.service.claimer.start_ticks, 0);
	assert_false(found.service.same_boot);
	assert_false(found.service.ever_active);
}

static void port_of_a_skipped_row_is_in_conflict(void **state)
{
	struct fixture *f = *state;
	struct claim_request request = fixture_request("web");
	struct claim_result result;

	fixture_shell(f, "INSERT INTO services(id, port) VALUES('bad \xff name', 4100)");
	request.port = 4100;
	assert_int_equal(claim(f, &request, &result), OUTCOME_CONFLICT);
	assert_string_equal(result.holder_id, "bad \xef\xbf\xbd name");
}

static void claim_mends_a_row_without_a_legal_port(void **state)
{
	struct fixture *f = *state;
	struct claim_request request = fixture_request("web");
	struct claim_result result;

	request.uid = geteuid();
	fixture_shell(f, "INSERT INTO services(id, port) VALUES('web', 'abc')");
	assert_int_equal(claim(f, &request, &result), 0);
	assert_false(result.existing);
	assert_int_equal(fixture_service(f, "web").service.port, result.port);
	assert_int_equal(fixture_service(f, "web").service.created_at, FIXTURE_NOW);
}

static void dropped_table_is_an_error_and_not_a_crash(void **state)
{
	struct fixture *f = *state;
	struct claim_request request = fixture_request("web");
	struct claim_result result;

	fixture_shell(f, "DROP TABLE services");
	assert_true(claim(f, &request, &result) < 0);
	assert_true(registry_service_by_id(f->registry, "web", service_copy_visit, NULL) < 0);
	assert_true(registry_counters(f->registry).errors > 0);
}

static void services_are_listed_in_order_of_id(void **state)
{
	struct fixture *f = *state;

	fixture_claim(f, "b:web", 0);
	fixture_claim(f, "a:web", 0);
	fixture_claim(f, "a", 0);
	fixture_claim(f, "a.b", 0);
	expect_ids(f, (struct service_filter){ .status = -1 }, "a a.b a:web b:web ");
}

static void filter_takes_pattern_port_and_status_together(void **state)
{
	struct fixture *f = *state;

	fixture_claim(f, "a:web", 5000);
	fixture_claim(f, "a:api", 5001);
	fixture_claim(f, "ab:web", 5002);
	fixture_begin(f);
	assert_int_equal(registry_set_status(f->registry, "a:api", SERVICE_GHOST, true, 5), 0);
	fixture_commit(f);
	expect_ids(f, (struct service_filter){ .pattern = "a:*", .status = -1 }, "a:api a:web ");
	expect_ids(f, (struct service_filter){ .pattern = "*web", .status = -1 }, "a:web ab:web ");
	expect_ids(f, (struct service_filter){ .pattern = "a?:web", .status = -1 }, "ab:web ");
	expect_ids(f, (struct service_filter){ .pattern = "a:web", .status = -1 }, "a:web ");
	expect_ids(f, (struct service_filter){ .pattern = "a", .status = -1 }, "");
	expect_ids(f, (struct service_filter){ .port = 5001, .status = -1 }, "a:api ");
	expect_ids(f, (struct service_filter){ .status = SERVICE_GHOST }, "a:api ");
	expect_ids(f, (struct service_filter){ .port = 5001, .status = SERVICE_ACTIVE }, "");
	expect_ids(f, (struct service_filter){ .pattern = "a:w*", .port = 5001, .status = -1 }, "");
}

static void visit_may_stop_the_walk(void **state)
{
	struct fixture *f = *state;
	struct id_list list = { .stop_after = 1 };
	struct service_filter all = { .status = -1 };

	fixture_claim(f, "a", 0);
	fixture_claim(f, "b", 0);
	assert_int_equal(registry_for_each_service(f->registry, &all, append_id, &list), 0);
	assert_string_equal(list.text, "a ");
}

struct nested {
	struct registry *registry;
	int visits;
};

static bool count_nested(const struct service *service, void *user_data)
{
	static const struct service_filter all = { .status = -1 };
	struct nested *nested = user_data;
	struct id_list inner = { .stop_after = -1 };

	assert_int_equal(registry_for_each_service(nested->registry, &all, append_id, &inner), 0);
	assert_string_equal(inner.text, "a b c ");
	nested->visits++;
	return true;
}

static void visit_may_ask_the_same_question_again(void **state)
{
	struct fixture *f = *state;
	struct nested nested = { .registry = f->registry };
	struct service_filter all = { .status = -1 };

	fixture_claim(f, "a", 0);
	fixture_claim(f, "b", 0);
	fixture_claim(f, "c", 0);
	assert_int_equal(registry_for_each_service(f->registry, &all, count_nested, &nested), 0);
	assert_int_equal(nested.visits, 3);
}

static void counts_are_those_of_the_rows_that_are_shown(void **state)
{
	struct fixture *f = *state;
	int64_t counts[_SERVICE_STATUS_MAX];

	fixture_claim(f, "a", 0);
	fixture_claim(f, "b", 0);
	fixture_shell(f, "INSERT INTO services(id, port, status) VALUES('c', 70000, 'ghost'), "
			 "('d', 4100, 'ghost'), ('e', 4101, 'strange')");
	assert_int_equal(registry_count_services(f->registry, counts), 0);
	assert_int_equal(counts[SERVICE_CLAIMED], 3);
	assert_int_equal(counts[SERVICE_GHOST], 1);
	assert_int_equal(counts[SERVICE_ACTIVE], 0);
}

static void status_without_touch_leaves_the_time(void **state)
{
	struct fixture *f = *state;

	fixture_claim(f, "a", 0);
	fixture_begin(f);
	assert_int_equal(
		registry_set_status(f->registry, "a", SERVICE_STALE, false, FIXTURE_NOW + 50), 0);
	fixture_commit(f);
	assert_int_equal(fixture_service(f, "a").service.updated_at, FIXTURE_NOW);
	assert_int_equal(fixture_service(f, "a").service.status, SERVICE_STALE);
}

static void status_of_nothing_says_no(void **state)
{
	struct fixture *f = *state;

	fixture_begin(f);
	assert_int_equal(registry_set_status(f->registry, "a", SERVICE_STALE, true, 1), OUTCOME_NO);
	fixture_commit(f);
}

static void status_names_are_read_back(void **state)
{
	for (int s = 0; s < _SERVICE_STATUS_MAX; s++)
		assert_int_equal(service_status_of_name(service_status_name(s)), s);
	assert_int_equal(service_status_of_name("dead"), -1);
}

static void claim_whose_port_cannot_be_remembered_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	struct claim_request request = fixture_request("web");
	struct claim_result result;

	fixture_shell(f, "CREATE TRIGGER t BEFORE INSERT ON ports WHEN NEW.id = 'web' "
			 "BEGIN SELECT RAISE(ABORT, 'no'); END");
	fixture_begin(f);
	assert_true(registry_claim(f->registry, &request, NULL, NULL, &result) < 0);
	request.id = "other";
	assert_int_equal(registry_claim(f->registry, &request, NULL, NULL, &result), 0);
	fixture_commit(f);
	fixture_expect(f, "SELECT group_concat(id) FROM services", "other");
	fixture_expect(f, "SELECT group_concat(id) FROM ports", "other");
}

static void claim_that_cannot_be_taken_back_takes_the_batch_with_it(void **state)
{
	struct fixture *f = *state;
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

static void port_is_ever_claimed_after_release_and_by_hand(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(registry_port_ever_claimed(f->registry, 5000), 0);
	fixture_claim(f, "web", 5000);
	fixture_release(f, "web");
	assert_int_equal(registry_port_ever_claimed(f->registry, 5000), 1);
	fixture_shell(f, "INSERT INTO services(id, port) VALUES('hand', 5001)");
	assert_int_equal(registry_port_ever_claimed(f->registry, 5001), 1);
	fixture_reopen(f);
	assert_int_equal(registry_port_ever_claimed(f->registry, 5000), 1);
}

static void last_alive_is_what_was_marked(void **state)
{
	struct fixture *f = *state;
	int64_t at = -1;

	assert_int_equal(registry_last_alive(f->registry, &at), 0);
	assert_int_equal(at, 0);
	fixture_begin(f);
	assert_int_equal(registry_mark_alive(f->registry, FIXTURE_NOW), 0);
	fixture_commit(f);
	fixture_reopen(f);
	assert_int_equal(registry_last_alive(f->registry, &at), 0);
	assert_int_equal(at, FIXTURE_NOW);
}

static void held_locks_are_counted(void **state)
{
	struct fixture *f = *state;
	int64_t count = -1;

	fixture_shell(f, "INSERT INTO locks(name, holder, acquiredAt, ttl) VALUES"
			 "('held', 'a', 100, 500), ('ever', 'a', 100, NULL), ('free', NULL, 1, 1), "
			 "('emptied', '', 'x', 9223372036854775807)");
	assert_int_equal(registry_count_locks(f->registry, &count), 0);
	assert_int_equal(count, 2);
}

/* --- a random world against a model ------------------------------------------------------------
 */

#define MODEL_IDS   24
#define MODEL_STEPS 2000

struct model {
	uint16_t port[MODEL_IDS];	/* 0: not claimed */
	uint16_t remembered[MODEL_IDS]; /* 0: never claimed */
	uid_t uid[MODEL_IDS];
};

static int model_holder(const struct model *m, uint16_t port)
{
	for (int i = 0; i < MODEL_IDS; i++)
		if (m->port[i] == port)
			return i;
	return -1;
}

static int model_claim(struct model *m, int i, const struct claim_request *request)
{
	uint16_t chosen = request->port;

	if (m->port[i] != 0 && m->uid[i] != request->uid && request->uid != 0)
		return OUTCOME_NOT_ALLOWED;
	if (m->port[i] != 0 && (chosen == 0 || chosen == m->port[i]))
		return 0;
	if (chosen != 0 && model_holder(m, chosen) >= 0)
		return OUTCOME_CONFLICT;
	if (chosen == 0 && m->remembered[i] != 0 && model_holder(m, m->remembered[i]) < 0)
		chosen = m->remembered[i];
	for (unsigned n = 0; chosen == 0 && n < 16; n++) {
		uint16_t candidate = port_candidate(request->id, request->range, n);

		if (model_holder(m, candidate) < 0)
			chosen = candidate;
	}
	if (chosen == 0)
		return OUTCOME_NO_FREE_PORT;
	if (m->port[i] == 0)
		m->uid[i] = request->uid;
	m->port[i] = m->remembered[i] = chosen;
	return 0;
}

static void model_compare(struct fixture *f, const struct model *m)
{
	char id[16];

	for (int i = 0; i < MODEL_IDS; i++) {
		struct service_copy copy;
		int found;

		snprintf(id, sizeof(id), "id:%d", i);
		found = registry_service_by_id(f->registry, id, service_copy_visit, &copy);
		assert_int_equal(found, m->port[i] ? 0 : OUTCOME_NO);
		if (found == 0) {
			assert_int_equal(copy.service.port, m->port[i]);
			assert_int_equal(copy.service.uid, m->uid[i]);
		}
	}
}

static void model_step(struct fixture *f, struct model *m)
{
	static const struct port_range range = { 4000, 4015 }; /* fewer ports than names */
	static const uid_t uids[] = { 0, 1000, 1001 };
	int i = rand() % MODEL_IDS;
	struct claim_request request;
	struct claim_result result;
	char id[16];

	snprintf(id, sizeof(id), "id:%d", i);
	if (rand() % 4 == 0) {
		int expected = m->port[i] ? 0 : OUTCOME_NO;

		assert_int_equal(registry_release(f->registry, id, FIXTURE_NOW), expected);
		m->port[i] = 0;
		return;
	}
	request = fixture_request(id);
	request.uid = uids[rand() % 3];
	request.range = range;
	if (rand() % 3 == 0)
		request.port = (uint16_t)(4000 + rand() % 16);
	assert_int_equal(registry_claim(f->registry, &request, NULL, NULL, &result),
			 model_claim(m, i, &request));
}

static void random_claims_and_releases_agree_with_a_model(void **state)
{
	struct fixture *f = *state;
	struct model m = { { 0 } };

	srand(fixture_seed());
	fixture_shell(f, "PRAGMA user_version"); /* a second connection came and went */
	for (int step = 0; step < MODEL_STEPS; step++) {
		if (step % 100 == 0) {
			fixture_commit(f);
			if (step % 500 == 0)
				fixture_reopen(f);
			fixture_begin(f);
		}
		model_step(f, &m);
		if (step % 20 == 0)
			model_compare(f, &m);
	}
	fixture_commit(f);
	model_compare(f, &m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		registry_test(first_claim_gets_the_port_of_its_name),
		registry_test(claim_stores_who_claimed_it),
		registry_test(claim_of_another_boot_is_not_of_this_boot),
		registry_test(second_claim_keeps_the_port_and_refreshes),
		registry_test(second_claim_keeps_health_and_ttl_unless_given),
		registry_test(claim_of_an_expired_service_does_not_expire),
		registry_test(second_claim_asks_nobody_whether_its_own_port_is_usable),
		registry_test(claim_of_a_ghost_counts_as_claimed_again),
		registry_test(claim_of_an_active_service_leaves_it_active),
		registry_test(claim_of_another_users_service_is_not_allowed),
		registry_test(root_refreshes_a_users_claim_and_leaves_it_theirs),
		registry_test(exact_port_is_given),
		registry_test(claim_of_taken_port_names_the_holder),
		registry_test(claim_of_unusable_port_names_no_holder),
		registry_test(exact_port_moves_an_existing_claim),
		registry_test(refused_move_leaves_the_claim_where_it_was),
		registry_test(unusable_candidates_are_passed_over),
		registry_test(full_range_has_no_free_port),
		registry_test(range_of_a_claim_is_kept_for_its_next_move),
		registry_test(claim_whose_port_cannot_be_remembered_leaves_nothing),
		registry_test(claim_that_cannot_be_taken_back_takes_the_batch_with_it),
		registry_test(released_port_is_remembered),
		registry_test(released_port_is_remembered_after_another_had_it),
		registry_test(remembered_port_outside_of_the_asked_range_is_not_given),
		registry_test(remembered_port_that_is_unusable_is_not_given),
		registry_test(last_of_several_ports_is_remembered),
		registry_test(release_of_nothing_says_no),
		registry_test(illegal_requests_are_refused),
		registry_test(write_outside_of_a_batch_is_refused),
		registry_test(claims_of_one_batch_see_each_other),
		registry_test(reads_that_were_begun_see_one_state_until_their_end),
		registry_test(a_batch_ends_reads_that_were_begun),
		registry_test(uncommitted_claims_are_gone_after_close),
		registry_test(port_claimed_by_hand_is_not_given),
		registry_test(changes_of_a_shell_are_noticed_once),
		registry_test(shell_in_a_read_transaction_does_not_stop_claims),
		registry_test(shell_in_a_write_transaction_makes_begin_busy),
		registry_test(rows_that_violate_the_rules_are_skipped),
		registry_test(odd_values_of_a_legal_row_are_clamped),
		registry_test(port_of_a_skipped_row_is_in_conflict),
		registry_test(claim_mends_a_row_without_a_legal_port),
		registry_test(dropped_table_is_an_error_and_not_a_crash),
		registry_test(services_are_listed_in_order_of_id),
		registry_test(filter_takes_pattern_port_and_status_together),
		registry_test(visit_may_stop_the_walk),
		registry_test(visit_may_ask_the_same_question_again),
		registry_test(counts_are_those_of_the_rows_that_are_shown),
		registry_test(status_without_touch_leaves_the_time),
		registry_test(status_of_nothing_says_no),
		registry_test(status_names_are_read_back),
		registry_test(port_is_ever_claimed_after_release_and_by_hand),
		registry_test(last_alive_is_what_was_marked),
		registry_test(held_locks_are_counted),
		registry_test(random_claims_and_releases_agree_with_a_model),
	};

	return cmocka_run_group_tests_name("registry claims", tests, NULL, NULL);
}
