/* SPDX-License-Identifier: MIT */
/* How launchers ended, as a later daemon reads it. */
#include "unit/registry/fixture.h"

#include "registry/launchers.h"
#include "unit/registry/stored.h"

#define KILLED 9

struct found {
	unsigned n;
	struct process_id server;
	struct process_ancestor launcher;
};

static const struct process_id server = { .pid = 4711, .start_ticks = 815 };

static struct process_ancestor launcher_of(pid_t pid, const char *comm)
{
	struct process_ancestor launcher = { .id = { .pid = pid, .start_ticks = 78 },
					     .exit_code = KILLED,
					     .ended_at = FIXTURE_NOW };

	memcpy(launcher.comm, comm, strnlen(comm, PROCESS_COMM_SIZE));
	return launcher;
}

static void store(struct fixture *f, const struct process_ancestor *launcher)
{
	assert_in_batch(f, registry_launcher_store(f->registry, &server, launcher), 0);
}

static void note(const struct process_id *of, const struct process_ancestor *launcher,
		 void *user_data)
{
	struct found *found = user_data;

	found->n++;
	found->server = *of;
	found->launcher = *launcher;
}

static struct found read_all(struct fixture *f)
{
	struct found found = { 0 };

	assert_int_equal(registry_for_each_launcher(f->registry, note, &found), 0);
	return found;
}

TEST_WITH(an_end_reads_back_as_it_was_stored, struct fixture *f)
{
	struct process_ancestor launcher = launcher_of(77, "npm start of a b");
	struct found found;

	store(f, &launcher);
	fixture_reopen(f);
	found = read_all(f);
	assert_int_equal(found.n, 1);
	assert_true(process_id_equal(&found.server, &server));
	assert_true(process_id_equal(&found.launcher.id, &launcher.id));
	assert_memory_equal(found.launcher.comm, launcher.comm, PROCESS_COMM_SIZE);
	assert_int_equal(found.launcher.exit_code, KILLED);
	assert_int_equal(found.launcher.ended_at, FIXTURE_NOW);
}

TEST_WITH(a_server_has_one_and_the_last_one_stored_counts, struct fixture *f)
{
	struct process_ancestor sh = launcher_of(77, "sh"), npm = launcher_of(76, "npm");

	store(f, &sh);
	store(f, &npm);
	assert_int_equal(read_all(f).n, 1);
	assert_int_equal(read_all(f).launcher.id.pid, 76);
}

TEST_WITH(another_process_with_the_pid_removes_nothing, struct fixture *f)
{
	struct process_id later = { .pid = server.pid, .start_ticks = server.start_ticks + 1 };
	struct process_ancestor launcher = launcher_of(77, "sh");

	store(f, &launcher);
	fixture_begin(f);
	assert_int_equal(registry_launcher_remove(f->registry, &later), 0);
	assert_int_equal(read_all(f).n, 1);
	assert_int_equal(registry_launcher_remove(f->registry, &server), 0);
	assert_int_equal(read_all(f).n, 0);
	fixture_commit(f);
}

TEST_WITH(what_another_boot_or_a_person_wrote_is_skipped, struct fixture *f)
{
	struct process_ancestor launcher = launcher_of(77, "sh");

	store(f, &launcher);
	fixture_shell(f, "INSERT INTO launchers(serverPid, bootId, pid, exitCode, endedAt) "
			 "SELECT 1, 'earlier', 5, 9, 1 FROM launchers;"
			 "INSERT INTO launchers(serverPid, bootId, pid, comm) "
			 "SELECT 2, bootId, 'x', 7 FROM launchers WHERE serverPid = 4711;"
			 "INSERT INTO launchers(serverPid) VALUES(NULL)");
	assert_int_equal(read_all(f).n, 1);
	assert_in_batch(f, registry_launchers_clear(f->registry), 0);
	fixture_expect(f, "SELECT count(*) FROM launchers", "0");
}

UNOPENED_TEST(database_of_version_6_takes_ends_and_keeps_its_claims, struct fixture *f)
{
	struct process_ancestor launcher = launcher_of(77, "sh");

	open_stored(f, stored_v6, 6);
	assert_int_equal(read_all(f).n, 0);
	store(f, &launcher);
	assert_int_equal(read_all(f).n, 1);
	fixture_close(f);
	fixture_expect(f, "SELECT port FROM services WHERE id = 'myapp:web'", "8075");
}

EACH_TEST_MAIN(fixture_setup, fixture_teardown)
