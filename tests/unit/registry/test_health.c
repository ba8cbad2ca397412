/* SPDX-License-Identifier: MIT */
#include "fixture.h"
#include "registry/health.h"

struct copy {
	struct health_record record;
	char result[64], url[128], details[128];
	unsigned calls;
};

static void copy_record(const struct health_record *record, void *user_data)
{
	struct copy *copy = user_data;

	copy->record = *record;
	snprintf(copy->result, sizeof(copy->result), "%s", record->result);
	snprintf(copy->url, sizeof(copy->url), "%s", record->url);
	snprintf(copy->details, sizeof(copy->details), "%s", record->details);
	copy->calls++;
}

static struct copy last_of(struct fixture *f, const char *id)
{
	struct copy copy = { 0 };

	assert_int_equal(registry_health_by_id(f->registry, id, copy_record, &copy), 0);
	assert_int_equal(copy.calls, 1);
	return copy;
}

static struct health_record record_of(const char *id)
{
	return (struct health_record){ .id = id,
				       .checked_at = FIXTURE_NOW,
				       .result = "ok",
				       .http_status = 200,
				       .elapsed_us = 45123,
				       .url = "http://localhost:3100/health",
				       .details = "" };
}

static int store(struct fixture *f, const struct health_record *record)
{
	int r;

	fixture_begin(f);
	r = registry_store_health(f->registry, record);
	fixture_commit(f);
	return r;
}

TEST_WITH(the_last_check_is_kept_over_a_restart, struct fixture *f)
{
	struct health_record record = record_of("web");
	struct copy last;

	fixture_claim(f, "web", 3100);
	assert_int_equal(store(f, &record), 0);
	record.result = "timeout";
	record.http_status = 0;
	record.elapsed_us = -1;
	record.url = "";
	record.details = "no response for 5s";
	record.checked_at++;
	assert_int_equal(store(f, &record), 0);
	fixture_reopen(f);
	last = last_of(f, "web");
	assert_string_equal(last.result, "timeout");
	assert_int_equal(last.record.http_status, 0);
	assert_int_equal(last.record.elapsed_us, -1);
	assert_string_equal(last.url, "");
	assert_string_equal(last.details, "no response for 5s");
	assert_int_equal(last.record.checked_at, FIXTURE_NOW + 1);
	fixture_expect(f, "SELECT count(*) FROM health", "1");
}

TEST_WITH(a_check_of_no_service_is_a_plain_no, struct fixture *f)
{
	struct health_record record = record_of("gone");
	struct copy copy = { 0 };

	assert_int_equal(store(f, &record), OUTCOME_NO);
	assert_int_equal(registry_health_by_id(f->registry, "gone", copy_record, &copy),
			 OUTCOME_NO);
	assert_int_equal(copy.calls, 0);
}

TEST_WITH(it_goes_with_its_claim, struct fixture *f)
{
	struct health_record record = record_of("web");

	fixture_claim(f, "web", 3100);
	assert_int_equal(store(f, &record), 0);
	fixture_release(f, "web");
	fixture_expect(f, "SELECT count(*) FROM health", "0");
}

TEST_WITH(outside_of_a_batch_nothing_is_stored, struct fixture *f)
{
	struct health_record record = record_of("web");

	fixture_claim(f, "web", 3100);
	assert_int_equal(registry_store_health(f->registry, &record), -EINVAL);
}

TEST_WITH(what_a_person_wrote_reads_as_unknown_where_it_does_not_fit, struct fixture *f)
{
	struct copy last;

	fixture_claim(f, "web", 3100);
	fixture_shell(f, "INSERT INTO health VALUES('web', 'now', x'FF41', 70000, 'x', NULL, 7)");
	last = last_of(f, "web");
	assert_int_equal(last.record.checked_at, 0);
	assert_string_equal(last.result, "\xEF\xBF\xBD"
					 "A");
	assert_int_equal(last.record.http_status, 0);
	assert_string_equal(last.url, "");
	assert_string_equal(last.details, "7");
}

EACH_TEST_MAIN(fixture_setup, fixture_teardown)
