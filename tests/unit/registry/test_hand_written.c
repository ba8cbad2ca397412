/* SPDX-License-Identifier: MIT */
/* The database while people write into it with a shell, and what they leave there. */
#include "unit/registry/claims.h"

TEST_WITH(changes_of_a_shell_are_noticed_once, struct fixture *f)
{
	fixture_claim(f, "web", 0);
	assert_false(registry_changed_by_others(f->registry));
	fixture_shell(f, "UPDATE services SET healthPath = '/x'");
	assert_true(registry_changed_by_others(f->registry));
	assert_false(registry_changed_by_others(f->registry));
}

TEST_WITH(shell_in_a_read_transaction_does_not_stop_claims, struct fixture *f)
{
	sqlite3 *shell = fixture_shell_open(f, "BEGIN; SELECT * FROM services");

	fixture_claim(f, "web", 0);
	sqlite3_close(shell);
}

TEST_WITH(shell_in_a_write_transaction_makes_begin_busy, struct fixture *f)
{
	sqlite3 *shell = fixture_shell_open(f, "BEGIN IMMEDIATE");

	assert_int_equal(registry_begin(f->registry), -EBUSY);
	assert_false(registry_in_batch(f->registry));
	assert_int_equal(sqlite3_exec(shell, "ROLLBACK", NULL, NULL, NULL), 0);
	sqlite3_close(shell);
	fixture_claim(f, "web", 0);
}

/* Text in integers, NULLs, illegal names, ports out of range, a blob as a name: all of it typed. */
TEST_WITH(rows_that_violate_the_rules_are_skipped, struct fixture *f)
{
	fixture_claim(f, "good", 0);
	fixture_shell(f, "INSERT INTO services(id, port) VALUES('bad name', 4100), (NULL, 4101), "
			 "('p:zero', 0), ('p:big', 70000), ('p:neg', -1), ('p:text', 'abc'), "
			 "('p:null', NULL), ('p:real', 3100.5), (x'00ff', 4102), "
			 "('p:\xff', 4103), ('', 4104)");
	expect_ids(f, (struct service_filter){ .status = -1 }, "good ");
	fixture_expect_none(f, "p:big");
	assert_int_equal(registry_service_by_port(f->registry, 4100, service_copy_visit, NULL),
			 OUTCOME_NO);
}

TEST_WITH(odd_values_of_a_legal_row_are_clamped, struct fixture *f)
{
	struct service_copy found;

	fixture_shell(f,
		      "INSERT INTO services VALUES('odd', 4100, 'x', -5, x'ff', 'weird', -3, "
		      "NULL, 'y', 99999999999, -1, NULL, 'z', 9223372036854775807, 9, 2, 'home', "
		      "'yes')");
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
	assert_false(found.service.is_protected);
}

TEST_WITH(port_of_a_skipped_row_is_in_conflict, struct fixture *f)
{
	struct claim_request request = fixture_request("web");
	struct claim_result result;

	fixture_shell(f, "INSERT INTO services(id, port) VALUES('bad \xff name', 4100)");
	request.port = 4100;
	assert_int_equal(claim(f, &request, &result), OUTCOME_CONFLICT);
	assert_string_equal(result.holder_id, "bad \xef\xbf\xbd name");
}

TEST_WITH(claim_mends_a_row_without_a_legal_port, struct fixture *f)
{
	struct claim_request request = fixture_request("web");
	struct claim_result result;

	request.uid = geteuid();
	fixture_shell(f, "INSERT INTO services(id, port) VALUES('web', 'abc')");
	assert_int_equal(claim(f, &request, &result), 0);
	assert_false(result.existing);
	assert_int_equal(fixture_service(f, "web").service.port, result.port);
	assert_int_equal(fixture_service(f, "web").service.created_at, FIXTURE_NOW);
}

TEST_WITH(dropped_table_is_an_error_and_not_a_crash, struct fixture *f)
{
	struct claim_request request = fixture_request("web");
	struct claim_result result;
	struct service_copy found;

	fixture_shell(f, "DROP TABLE services");
	assert_true(claim(f, &request, &result) < 0);
	assert_true(fixture_find(f, "web", &found) < 0);
	assert_true(registry_counters(f->registry).errors > 0);
}

EACH_TEST_MAIN(fixture_setup, fixture_teardown)
