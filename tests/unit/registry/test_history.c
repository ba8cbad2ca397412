/* SPDX-License-Identifier: MIT */
/* Who had a port, as it is stored, asked for and forgotten. */
#include "unit/registry/fixture.h"

#include "base/quota.h"
#include "registry/history.h"
#include "unit/registry/stored.h"

static struct history_entry entry_of(uint16_t port, uint64_t cookie)
{
	return (struct history_entry){ .port = port,
				       .asked_port = 80,
				       .proto = "tcp",
				       .addr = "127.0.0.1",
				       .netns = 4026531833,
				       .process = { .pid = 4711, .start_ticks = 815 },
				       .comm = "node",
				       .uid = 1000,
				       .service = "shop:web",
				       .since = FIXTURE_NOW,
				       .cookie = cookie };
}

static void add(struct fixture *f, const struct history_entry *entry)
{
	assert_in_batch(f, registry_history_add(f->registry, entry), 0);
}

static void end(struct fixture *f, uint16_t port, uint64_t cookie, struct history_end end)
{
	assert_in_batch(f, registry_history_end(f->registry, port, cookie, &end), 0);
}

struct found {
	unsigned n;
	int64_t ids[8];
	struct history_entry first;
	char texts[128];
};

static bool note(const struct history_entry *entry, void *user_data)
{
	struct found *found = user_data;

	if (!found->n) {
		found->first = *entry;
		snprintf(found->texts, sizeof(found->texts), "%s %s %s %s", entry->proto,
			 entry->addr, entry->comm, entry->service);
	}
	if (found->n < 8)
		found->ids[found->n] = entry->id;
	found->n++;
	return true;
}

static struct found find(struct fixture *f, struct history_filter filter)
{
	struct found found = { 0 };

	if (!filter.limit)
		filter.limit = INT64_MAX;
	assert_int_equal(registry_for_each_history(f->registry, &filter, note, &found), 0);
	return found;
}

TEST_WITH(a_holder_reads_back_as_it_was_stored_and_as_it_ended, struct fixture *f)
{
	const struct history_entry entry = entry_of(3000, 7);
	struct found found;

	add(f, &entry);
	fixture_reopen(f);
	found = find(f, (struct history_filter){ .port = 3000 });
	assert_int_equal(found.n, 1);
	assert_string_equal(found.texts, "tcp 127.0.0.1 node shop:web");
	assert_true(process_id_equal(&found.first.process, &entry.process));
	assert_int_equal(found.first.asked_port, 80);
	assert_int_equal(found.first.uid, 1000);
	assert_int_equal(found.first.netns, 4026531833);
	assert_int_equal(found.first.since, FIXTURE_NOW);
	assert_int_equal(found.first.end.at, 0);
	end(f, 3000, 7, (struct history_end){ FIXTURE_NOW + 5, HISTORY_SIGNAL, 9 });
	end(f, 3000, 7, (struct history_end){ FIXTURE_NOW + 9, HISTORY_CLOSED, 0 });
	found = find(f, (struct history_filter){ .service = "shop:web" });
	assert_int_equal(found.n, 1);
	assert_int_equal(found.first.end.at, FIXTURE_NOW + 5);
	assert_int_equal(found.first.end.how, HISTORY_SIGNAL);
	assert_int_equal(found.first.end.code, 9);
}

TEST_WITH(a_socket_has_one_row_without_an_end, struct fixture *f)
{
	const struct history_entry entry = entry_of(3000, 7);

	add(f, &entry);
	add(f, &entry);
	assert_int_equal(find(f, (struct history_filter){ .port = 3000 }).n, 1);
	end(f, 3000, 7, (struct history_end){ FIXTURE_NOW, HISTORY_CLOSED, 0 });
	add(f, &entry); /* it listens again */
	assert_int_equal(find(f, (struct history_filter){ .port = 3000 }).n, 2);
}

TEST_WITH(the_newest_come_first_of_a_port_a_service_or_a_time, struct fixture *f)
{
	struct history_entry other = entry_of(4000, 9);
	struct found all, page;

	other.service = "";
	add(f, &(struct history_entry){ .port = 3000, .uid = PROCESS_UID_UNKNOWN, .cookie = 1 });
	add(f, &other);
	other = entry_of(3000, 10);
	add(f, &other);
	end(f, 3000, 1, (struct history_end){ FIXTURE_NOW - 100, HISTORY_UNKNOWN, 0 });
	all = find(f, (struct history_filter){ 0 });
	assert_int_equal(all.n, 3);
	assert_true(all.ids[0] > all.ids[1] && all.ids[1] > all.ids[2]);
	assert_int_equal(find(f, (struct history_filter){ .port = 3000 }).n, 2);
	assert_int_equal(find(f, (struct history_filter){ .service = "shop:web" }).n, 1);
	assert_int_equal(find(f, (struct history_filter){ .since = FIXTURE_NOW }).n, 2);
	page = find(f, (struct history_filter){ .before_id = all.ids[0], .limit = 1 });
	assert_int_equal(page.n, 1);
	assert_int_equal(page.ids[0], all.ids[1]);
}

TEST_WITH(what_a_person_typed_into_it_reads_as_valid_values, struct fixture *f)
{
	struct found found;

	fixture_shell(
		f, "INSERT INTO history(port, uid, comm, since, until, how, code, pid, askedPort) "
		   "VALUES "
		   "(3000, -5, X'ff41', 'soon', 99999999999999, 'eaten', 7000, 'x', 70000), "
		   "(0, 1, 'a', 1, 1, 'exit', 1, 1, 1), ('http', 1, 'a', 1, 1, 'exit', 1, 1, 1), "
		   "(3000, 1, 'b', 5, 6, 'eaten', -1, 1, 'x')");
	found = find(f, (struct history_filter){ 0 });
	assert_int_equal(found.n, 2);
	assert_int_equal(found.first.end.how, HISTORY_UNKNOWN);
	found = find(f, (struct history_filter){ .before_id = found.ids[0] });
	assert_int_equal(found.first.uid, PROCESS_UID_UNKNOWN);
	assert_int_equal(found.first.process.pid, 0);
	assert_int_equal(found.first.asked_port, 0);
	assert_int_equal(found.first.end.how, HISTORY_HAS_IT);
}

/* Who fills the table makes room, and what is old goes. */
TEST_WITH(the_oldest_of_whoever_has_most_are_forgotten_and_what_ended_long_ago, struct fixture *f)
{
	const struct history_entry few = entry_of(3000, 1);

	add(f, &few);
	fixture_insert(f, (int)quota_limit(QUOTA_HISTORY_KEPT)->machine + 150,
		       "history(port, uid, since, until, how) "
		       "SELECT 4000, 1001, 1700000000, 1700000000, 'closed' FROM n");
	for (int i = 0; i < 2; i++)
		assert_in_batch(f, registry_history_prune(f->registry, FIXTURE_NOW, 100), 0);
	fixture_expect(f, "SELECT count(*) FROM history", "20000");
	assert_int_equal(find(f, (struct history_filter){ .port = 3000 }).n, 1);
	assert_in_batch(
		f, registry_history_prune(f->registry, FIXTURE_NOW + ACTIVITY_KEEP_S + 1, 30000),
		0);
	fixture_expect(f, "SELECT count(*) FROM history", "1"); /* it has not ended */
}

TEST_WITH(no_row_is_written_outside_of_a_batch, struct fixture *f)
{
	const struct history_entry entry = entry_of(3000, 1);

	assert_int_equal(registry_history_add(f->registry, &entry), -EINVAL);
	assert_int_equal(registry_history_end(f->registry, 3000, 1, &entry.end), -EINVAL);
}

UNOPENED_TEST(a_database_of_version_11_gets_an_empty_history_and_keeps_the_rest, struct fixture *f)
{
	const struct history_entry entry = entry_of(8075, 1);

	open_stored(f, stored_v11, 11);
	assert_int_equal(find(f, (struct history_filter){ 0 }).n, 0);
	add(f, &entry);
	assert_int_equal(find(f, (struct history_filter){ .port = 8075 }).n, 1);
	fixture_expect(f, "SELECT id || port || status FROM services", "myapp:web8075active");
	fixture_expect(f, "SELECT id || state FROM runs", "run-0a1b2c3dready");
	fixture_expect(f, "SELECT count(*) FROM activity", "1");
}

EACH_TEST_MAIN(fixture_setup, fixture_teardown)
