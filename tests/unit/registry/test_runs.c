/* SPDX-License-Identifier: MIT */
/* Runs as they are stored, and as the services that they serve have them. */
#include "unit/registry/fixture.h"

#include "registry/runs.h"

static struct run run_of(uint32_t number, const char *service)
{
	struct run run = { .number = number,
			   .outer = 7,
			   .port = 3100,
			   .uid = 1000,
			   .pd = { .pid = 78, .start_ticks = 7900 },
			   .since = FIXTURE_NOW };

	snprintf(run.service, sizeof(run.service), "%s", service);
	return run;
}

static void add(struct fixture *f, uint32_t number, const char *service)
{
	struct run run = run_of(number, service);

	assert_in_batch(f, registry_run_add(f->registry, &run), 0);
}

static void reload(struct fixture *f)
{
	fixture_reopen(f);
	assert_int_equal(registry_runs_load(f->registry), 0);
}

TEST_WITH(a_run_reads_back_as_it_was_stored, struct fixture *f)
{
	const struct run *run;

	add(f, 0x1a2b, "myapp:web@bob");
	assert_in_batch(f, registry_run_set_state(f->registry, 0x1a2b, RUN_READY), 0);
	reload(f);
	run = registry_run(f->registry, 0x1a2b);
	assert_non_null(run);
	assert_string_equal(run->service, "myapp:web@bob");
	assert_int_equal(run->outer, 7);
	assert_int_equal(run->port, 3100);
	assert_int_equal(run->uid, 1000);
	assert_int_equal(run->pd.pid, 78);
	assert_int_equal(run->pd.start_ticks, 7900);
	assert_int_equal(run->since, FIXTURE_NOW);
	assert_int_equal(run->state, RUN_READY);
}

TEST_WITH(hardcoded_ports_read_back_and_end_where_people_wrote_into_them, struct fixture *f)
{
	struct run run = run_of(1, "myapp:web"), *read;

	run.project = UINT64_MAX - 1;
	run.transparent = true;
	run.n_hardcoded = 2;
	run.hardcoded[0] = (struct run_hardcoded){ 3000, 3100 };
	run.hardcoded[1] = (struct run_hardcoded){ 65535, 3101 };
	assert_in_batch(f, registry_run_add(f->registry, &run), 0);
	fixture_expect(f, "SELECT hardcoded FROM runs", "3000:3100 65535:3101 transparent");
	reload(f);
	read = registry_run(f->registry, 1);
	assert_true(read->project == run.project);
	assert_int_equal(read->n_hardcoded, 2);
	assert_true(read->transparent);
	assert_memory_equal(read->hardcoded, run.hardcoded, 2 * sizeof(run.hardcoded[0]));
	/* nothing is asked for where the kernel side does not know of it */
	assert_int_equal(run_asked_port(read, 3101), 0);
	read->has_rules = true;
	assert_int_equal(run_asked_port(read, 3101), 65535);
	assert_int_equal(run_port_for(read, 3000), 3100);
	assert_true(run_is_of(read, "myapp:web-65535", 3101));

	fixture_shell(f, "UPDATE runs SET hardcoded = '3000:3100 0:7 9:x'");
	reload(f);
	assert_int_equal(registry_run(f->registry, 1)->n_hardcoded, 1);
	assert_false(registry_run(f->registry, 1)->transparent);
}

TEST_WITH(a_run_that_was_removed_does_not_come_back, struct fixture *f)
{
	add(f, 1, "myapp:web");
	add(f, 2, "");
	assert_in_batch(f, registry_run_remove(f->registry, 1), 0);
	assert_null(registry_run(f->registry, 1));
	reload(f);
	assert_null(registry_run(f->registry, 1));
	assert_non_null(registry_run(f->registry, 2));
}

TEST_WITH(a_run_of_another_boot_is_over, struct fixture *f)
{
	add(f, 1, "myapp:web");
	add(f, 2, "myapp:web");
	fixture_shell(f, "UPDATE runs SET bootId = 'earlier' WHERE id = 'run-00000001'");
	reload(f);
	assert_null(registry_run(f->registry, 1));
	fixture_begin(f);
	registry_run_remove(f->registry, 2);
	fixture_commit(f);
	fixture_expect(f, "SELECT count(*) FROM runs", "0");
}

TEST_WITH(rows_that_people_wrote_are_skipped, struct fixture *f)
{
	add(f, 3, "myapp:web");
	fixture_shell(f, "INSERT INTO runs(id, bootId) SELECT 'what?', bootId FROM runs;"
			 "INSERT INTO runs(id, bootId, service, port, pid, state) "
			 "SELECT 'run-00000004', bootId, 'no service', 'x', -5, 'odd' FROM runs "
			 "WHERE id = 'run-00000003'");
	reload(f);
	assert_non_null(registry_run(f->registry, 4));
	assert_string_equal(registry_run(f->registry, 4)->service, "");
	assert_int_equal(registry_run(f->registry, 4)->state, RUN_STARTING);
	assert_int_equal(registry_run(f->registry, 4)->pd.pid, 0);
}

TEST_WITH(a_service_has_its_newest_run, struct fixture *f)
{
	const struct run *newest;

	add(f, 1, "myapp:web");
	add(f, 2, "myapp:web");
	add(f, 3, "myapp:api");
	newest = registry_run_of_service(f->registry, "myapp:web", 3000);
	assert_int_equal(newest->number, 2);
	assert_null(registry_run_of_service(f->registry, "myapp:db", 3001));
}

EACH_TEST_MAIN(fixture_setup, fixture_teardown)
