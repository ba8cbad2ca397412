/* SPDX-License-Identifier: MIT */
/* Claims and releases over the wire: bodies, owners, ports, commits. */
#include <sqlite3.h>
#include <sys/resource.h>

#include "world.h"

#define PARALLEL 200

/* --- bodies --- */

TEST_WITH(bodies_that_are_not_an_object_are_refused, struct world *w)
{
	static const struct bad_request rows[] = {
		{ "", "empty" },
		{ "{", "not JSON" },
		{ "{\"id\":\"a\"} x", "not JSON" },
		{ "{\"id\":\"a\"}{}", "not JSON" },
		{ "{'id':'a'}", "not JSON" },
		{ "{\"id\":\"a\",}", "not JSON" },
		{ "{\"id\":NaN}", "not a string" },
		{ "{\"id\":\"\xff\xfe\"}", "not JSON" },
		/* overlong, a surrogate, above U+10FFFF */
		{ "{\"id\":\"\xc0\xa9\"}", "not JSON" },
		{ "{\"id\":\"\xed\xa0\x80\"}", "not JSON" },
		{ "{\"id\":\"\xf4\x90\x80\x80\"}", "not JSON" },
		{ "{\"id\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}", "not JSON" },
		{ "[]", "not a JSON object" },
		{ "null", "not a JSON object" },
		{ "3000", "not a JSON object" },
		{ "\"id\"", "not a JSON object" },
		{ "{\"idd\":\"a\"}", "unknown member \"idd\"; /v1/claims takes: id, port, range" },
	};

	assert_bad_bodies(w, "/v1/claims", rows, ARRAY_SIZE(rows));
}

TEST_WITH(a_body_with_a_nul_byte_is_refused, struct world *w)
{
	static const char text[] = "POST /v1/claims HTTP/1.1\r\nContent-Length: 12\r\n\r\n"
				   "{\"id\":\"a\0b\"}";
	_cleanup_client_ struct client c = client_new(w);

	assert_true(client_write(w, &c, text, sizeof(text) - 1));
	assert_error(client_answer(w, &c), 400, "bad_request", "NUL");
}

TEST_WITH(members_are_checked, struct world *w)
{
	static const struct bad_request rows[] = {
		{ "{}", "\"id\" is missing" },
		{ "{\"id\":null}", "\"id\" is missing" },
		{ "{\"id\":7}", "\"id\" is not a string" },
		{ "{\"id\":[\"a\"]}", "\"id\" is not a string" },
		{ "{\"id\":\"a\\u0000b\"}", "NUL" },
		{ "{\"id\":\"\"}", "myapp:web" },
		{ "{\"id\":\"a b\"}", "myapp:web" },
		{ "{\"id\":\"a:b:c:d\"}", "myapp:web" },
		{ "{\"id\":\"a*\"}", "myapp:web" },
		{ "{\"id\":\"a\",\"port\":0}", "port \"0\"" },
		{ "{\"id\":\"a\",\"port\":65536}", "1 to 65535" },
		{ "{\"id\":\"a\",\"port\":-1}", "1 to 65535" },
		{ "{\"id\":\"a\",\"port\":18446744073709551617}", "1 to 65535" },
		{ "{\"id\":\"a\",\"port\":3000.5}", "1 to 65535" },
		{ "{\"id\":\"a\",\"port\":\"080\"}", "1 to 65535" },
		{ "{\"id\":\"a\",\"port\":true}", "1 to 65535" },
		{ "{\"id\":\"a\",\"range\":\"9-1\"}", "3100-3199" },
		{ "{\"id\":\"a\",\"range\":\"0-10\"}", "3100-3199" },
		{ "{\"id\":\"a\",\"range\":\"4000-5000\",\"port\":80}", "outside the range" },
		{ "{\"id\":\"a\",\"ttl\":\"5\"}", "2h30m" },
		{ "{\"id\":\"a\",\"ttl\":5}", "not a string" },
		{ "{\"id\":\"a\",\"health\":\"health\"}", "/health" },
		{ "{\"id\":\"a\",\"health\":\"/a b\"}", "/health" },
		{ "{\"id\":\"a\",\"health\":\"https://example.org/\"}", "localhost" },
		{ "{\"id\":\"a\",\"cwd\":\"src\"}", "absolute" },
	};

	assert_bad_bodies(w, "/v1/claims", rows, ARRAY_SIZE(rows));
}

TEST_WITH(a_refused_body_changes_nothing, struct world *w)
{
	const struct answer *before = ask_get(w, "/v1/services?status=claimed");

	assert_int_equal(
		ask_post(w, "/v1/claims", "{\"id\":\"changes:nothing\",\"port\":0}")->status, 400);
	assert_int_equal(count_of(before, "services"),
			 count_of(ask_get(w, "/v1/services?status=claimed"), "services"));
}

/* --- claims --- */

static size_t entries_of(struct world *w, const char *filter)
{
	const struct answer *a = get(w, "/v1/log?n=10000&filter=%s", filter);

	assert_ok(a);
	return count_of(a, "entries");
}

TEST_WITH(each_change_of_a_claim_is_one_entry, struct world *w)
{
	int64_t before = world_count_entries(w);

	claim(w, "heard:one", 0);
	claim(w, "heard:one", 0);
	assert_ok(ask_post(w, "/v1/releases", "{\"match\":\"heard:one\"}"));
	assert_int_equal(world_count_entries(w) - before, 2);
}

TEST_WITH(services_of_one_request_are_all_claimed_or_none, struct world *w)
{
	uint16_t taken;
	_cleanup_close_ int fd = listening_socket(&taken);
	const struct answer *all = ask_post(w, "/v1/claims",
					    "{\"services\":[{\"id\":\"lot:a\"},{\"id\":\"lot:b\","
					    "\"health\":\"/up\"}]}"),
			    *none, *rows;
	int64_t entries;

	assert_ok(all);
	assert_int_equal(count_of(all, "services"), 2);
	assert_string_equal(text_of(all, "services.1.id"), "lot:b");
	entries = world_count_entries(w);
	/* the second finds the only port of the range taken, by the first or by the listener */
	none = post(w, "/v1/claims",
		    "{\"range\":\"%u-%u\",\"services\":[{\"id\":\"lost:a\"},{\"id\":\"lost:b\"},"
		    "{\"id\":\"lost:c\"}]}",
		    taken - 1, taken);
	assert_error(none, 409, "no_free_port", "taken");
	rows = ask_get(w, "/v1/services?pattern=lost:*");
	assert_int_equal(count_of(rows, "services"), 0);
	assert_int_equal(entries_of(w, "lost:*"), 0);
	assert_int_equal(world_count_entries(w), entries);
}

TEST_WITH(a_claim_gets_a_port_of_the_range_and_is_logged, struct world *w)
{
	const struct answer *a = ask_claim(w, "shop:web", 0), *log;
	char details[64];

	assert_ok(a);
	assert_string_equal(text_of(a, "id"), "shop:web");
	assert_true(int_of(a, "port") >= 3100 && int_of(a, "port") <= 9999);
	assert_false(bool_of(a, "existing"));
	assert_string_equal(text_of(a, "status"), "claimed");
	assert_null(member(a->body, "previousPort"));
	log = ask_get(w, "/v1/log?filter=shop:web");
	snprintf(details, sizeof(details), "Port %d assigned", (int)int_of(a, "port"));
	assert_string_equal(text_of(log, "entries.0.details"), details);
	assert_string_equal(text_of(log, "entries.0.action"), "CLAIM");
	assert_int_equal(int_of(log, "entries.0.pid"), getpid());
}

TEST_WITH(a_claim_made_again_keeps_its_port_and_writes_no_line, struct world *w)
{
	uint16_t port = claim(w, "again", 0);
	size_t lines = entries_of(w, "again");
	const struct answer *second = ask_claim(w, "again", 0);

	assert_ok(second);
	assert_int_equal(int_of(second, "port"), port);
	assert_true(bool_of(second, "existing"));
	assert_int_equal(entries_of(w, "again"), lines);
}

TEST_WITH(a_claim_moved_to_another_port_says_where_it_was, struct world *w)
{
	uint16_t port = free_port(), first = claim(w, "moved", 0);
	const struct answer *second = ask_claim(w, "moved", port);

	assert_ok(second);
	assert_int_equal(int_of(second, "port"), port);
	assert_int_equal(int_of(second, "previousPort"), first);
	assert_int_equal(entries_of(w, "moved"), 2);
}

TEST_WITH(a_claim_remembers_ttl_health_and_directory, struct world *w)
{
	const struct answer *a = ask_post(w, "/v1/claims",
					  "{\"id\":\"full\",\"range\":\"7000-7100\",\"ttl\":\"2h\","
					  "\"health\":\"/healthz\",\"cwd\":\"/srv/full\"}");
	const struct answer *found = ask_get(w, "/v1/services?pattern=full");

	assert_ok(a);
	assert_true(int_of(a, "port") >= 7000 && int_of(a, "port") <= 7100);
	assert_string_equal(text_of(found, "services.0.healthPath"), "/healthz");
	assert_string_equal(text_of(found, "services.0.cwd"), "/srv/full");
	assert_int_equal(int_of(found, "services.0.expiresAt"),
			 int_of(found, "services.0.createdAt") + 7200);
}

TEST_WITH(a_claim_without_directory_has_the_callers, struct world *w)
{
	const struct answer *found;
	char cwd[4096];

	claim(w, "here", 0);
	found = ask_get(w, "/v1/services?pattern=here");
	assert_non_null(getcwd(cwd, sizeof(cwd)));
	assert_string_equal(text_of(found, "services.0.cwd"), cwd);
}

TEST_WITH(a_claim_of_a_taken_port_names_the_holder, struct world *w)
{
	uint16_t port;
	_cleanup_close_ int fd = listening_socket(&port);
	const struct answer *a;
	char words[64];

	world_resync(w);
	a = ask_claim(w, "taken", port);
	snprintf(words, sizeof(words), "(%d), listening on 127.0.0.1:%u", getpid(), port);
	assert_error(a, 409, "conflict", words);
	assert_string_equal(text_of(a, "why.errno"), "EADDRINUSE");
	assert_int_equal(int_of(a, "why.holders.0.pid"), getpid());
}

TEST_WITH(a_claim_of_a_port_that_udp_holds_names_the_holder, struct world *w)
{
	uint16_t port;
	_cleanup_close_ int fd = bound_socket(SOCK_DGRAM, &port);
	const struct answer *a;

	world_resync(w);
	a = ask_claim(w, "taken:udp", port);
	assert_error(a, 409, "conflict", "is held by");
	assert_string_equal(text_of(a, "why.verdict"), "udp_bound");
}

TEST_WITH(a_claim_of_a_claimed_port_names_its_owner, struct world *w)
{
	const struct answer *a = ask_claim(w, "late", claim(w, "owner", 0));

	assert_error(a, 409, "conflict", "is claimed by owner");
	assert_string_equal(text_of(a, "holder.id"), "owner");
	assert_string_equal(text_of(a, "why.service"), "owner");
}

TEST_WITH(a_full_range_is_said_so, struct world *w)
{
	assert_ok(ask_post(w, "/v1/claims", "{\"id\":\"narrow:1\",\"range\":\"7200-7200\"}"));
	assert_error(ask_post(w, "/v1/claims", "{\"id\":\"narrow:2\",\"range\":\"7200-7200\"}"),
		     409, "no_free_port", "7200");
}

/* --- owners --- */

TEST_WITH(a_claim_of_another_users_name_is_a_claim_of_its_own, struct world *w)
{
	uint16_t mine = claim(w, "rooted", 0);
	const struct answer *theirs = ask_as_other(w, "POST", "/v1/claims", "{\"id\":\"rooted\"}");

	assert_ok(theirs);
	assert_string_equal(text_of(theirs, "id"), "rooted");
	assert_int_not_equal(int_of(theirs, "port"), mine);
}

TEST_WITH(root_may_release_for_another_user, struct world *w)
{
	const struct answer *theirs = ask_as_other(w, "POST", "/v1/claims", "{\"id\":\"theirs\"}");
	const struct answer *released = ask_post(w, "/v1/releases", "{\"match\":\"theirs\"}");

	assert_ok(theirs);
	assert_ok(released);
	assert_string_equal(text_of(released, "released.0.id"), "theirs");
}

TEST_WITH(a_release_of_another_users_service_changes_nothing, struct world *w)
{
	uint16_t mine = claim(w, "kept", 0);
	const struct answer *a = ask_as_other(w, "POST", "/v1/releases", "{\"match\":\"kept\"}");
	const struct answer *found = ask_get(w, "/v1/services?pattern=kept");

	assert_error(a, 403, "not_allowed", "kept belongs to user root");
	assert_string_equal(text_of(a, "refused.0.id"), "kept");
	assert_int_equal(int_of(found, "services.0.port"), mine);
}

TEST_WITH(a_pattern_skips_what_belongs_to_others, struct world *w)
{
	const struct answer *a;

	claim(w, "mix:root", 0);
	assert_ok(ask_as_other(w, "POST", "/v1/claims", "{\"id\":\"mix:nobody\"}"));
	a = ask_as_other(w, "POST", "/v1/releases", "{\"match\":\"mix:*\"}");
	assert_ok(a);
	assert_int_equal(count_of(a, "released"), 1);
	assert_string_equal(text_of(a, "released.0.id"), "mix:nobody");
	assert_string_equal(text_of(a, "refused.0.id"), "mix:root");
}

TEST_WITH(the_directory_of_a_claim_is_its_users_to_see, struct world *w)
{
	const struct answer *mine, *theirs;

	claim(w, "private", 0);
	mine = ask_get(w, "/v1/services?pattern=private");
	theirs = ask_as_other(w, "GET", "/v1/services?pattern=private", "");
	assert_non_null(member(mine->body, "services.0.cwd"));
	assert_ok(theirs);
	assert_string_equal(text_of(theirs, "services.0.user"), "root");
	assert_null(member(theirs->body, "services.0.cwd"));
}

/* --- releases --- */

TEST_WITH(a_release_is_logged_and_the_port_is_remembered, struct world *w)
{
	uint16_t port = claim(w, "back", 0);
	const struct answer *released = ask_post(w, "/v1/releases", "{\"match\":\"back\"}");
	const struct answer *log = ask_get(w, "/v1/log?filter=back&n=1");

	assert_ok(released);
	assert_int_equal(int_of(released, "released.0.port"), port);
	assert_int_equal(count_of(released, "released.0.heldBy"), 0);
	assert_int_equal(count_of(released, "refused"), 0);
	assert_string_equal(text_of(log, "entries.0.action"), "RELEASE");
	assert_int_equal(claim(w, "back", 0), port);
}

TEST_WITH(a_release_by_port_says_who_still_holds_it, struct world *w)
{
	uint16_t port = claim(w, "held", free_port());
	const struct answer *a;
	_cleanup_close_ int fd = listen_at(port);

	assert_true(fd >= 0);
	world_resync(w);
	a = post(w, "/v1/releases", "{\"match\":\":%u\"}", port);
	assert_ok(a);
	assert_string_equal(text_of(a, "released.0.id"), "held");
	assert_int_equal(int_of(a, "released.0.heldBy.0.pid"), getpid());
}

TEST_WITH(a_release_of_an_unclaimed_port_names_the_process_on_it, struct world *w)
{
	uint16_t port;
	_cleanup_close_ int fd = listening_socket(&port);
	char words[64];

	world_resync(w);
	snprintf(words, sizeof(words), "(%d) holds it", getpid());
	assert_error(post(w, "/v1/releases", "{\"match\":\":%u\"}", port), 404, "not_found", words);
}

TEST_WITH(a_release_of_nothing_is_not_found, struct world *w)
{
	assert_error(ask_post(w, "/v1/releases", "{\"match\":\"no.one\"}"), 404, "not_found",
		     "no service no.one");
	assert_error(ask_post(w, "/v1/releases", "{\"match\":\"zz*\"}"), 404, "not_found", "zz*");
	assert_error(ask_post(w, "/v1/releases", "{\"match\":\":1\"}"), 404, "not_found", "port 1");
}

TEST_WITH(what_cannot_be_matched_is_refused, struct world *w)
{
	static const struct bad_request rows[] = {
		{ "{}", "" },
		{ "{\"match\":\"\"}", "" },
		{ "{\"match\":\":\"}", "" },
		{ "{\"match\":\":080\"}", "" },
		{ "{\"match\":\"a b*\"}", "" },
		{ "{\"match\":\"a:b:c:d\"}", "" },
		{ "{\"match\":3000}", "" },
	};

	assert_bad_bodies(w, "/v1/releases", rows, ARRAY_SIZE(rows));
}

/* --- many at once, and durability --- */

static void parallel_claims(struct world *w, const char *prefix, bool same, int64_t ports[PARALLEL])
{
	_cleanup_free_ struct client *clients = calloc(PARALLEL, sizeof(*clients));

	assert_non_null(clients);
	for (int i = 0; i < PARALLEL; i++)
		clients[i] = client_new(w);
	for (int i = 0; i < PARALLEL; i++) {
		char body[128];

		snprintf(body, sizeof(body), "{\"id\":\"%s%d\"}", prefix, same ? 0 : i);
		client_post(w, &clients[i], "/v1/claims", body);
	}
	for (int i = 0; i < PARALLEL; i++) {
		const struct answer *a = client_answer(w, &clients[i]);

		assert_ok(a);
		ports[i] = int_of(a, "port");
		client_free(&clients[i]);
	}
}

TEST_WITH(parallel_claims_of_different_names_get_different_ports, struct world *w)
{
	int64_t ports[PARALLEL];

	parallel_claims(w, "many:n", false, ports);
	for (int i = 0; i < PARALLEL; i++)
		for (int j = 0; j < i; j++)
			assert_int_not_equal(ports[i], ports[j]);
}

TEST_WITH(parallel_claims_of_one_name_get_one_port, struct world *w)
{
	int64_t ports[PARALLEL];

	parallel_claims(w, "many:same", true, ports);
	for (int i = 1; i < PARALLEL; i++)
		assert_int_equal(ports[i], ports[0]);
	assert_int_equal(entries_of(w, "many:same0"), 1);
}

TEST_WITH(claims_of_one_turn_share_a_commit, struct world *w)
{
	uint64_t before = registry_counters(w->registry).commits;
	struct client clients[20];

	/* all of them wait in their sockets before the loop turns */
	for (int i = 0; i < 20; i++) {
		char text[256], body[64];
		int n;

		clients[i] = client_new(w);
		snprintf(body, sizeof(body), "{\"id\":\"turn:n%d\"}", i);
		n = snprintf(text, sizeof(text),
			     "POST /v1/claims HTTP/1.1\r\nContent-Length: %zu\r\n\r\n%s",
			     strlen(body), body);
		assert_int_equal(send(clients[i].fd, text, n, 0), n);
	}
	for (int i = 0; i < 20; i++) {
		assert_ok(client_answer(w, &clients[i]));
		client_free(&clients[i]);
	}
	assert_true(registry_counters(w->registry).commits - before < 10);
}

TEST_WITH(an_answered_claim_is_committed, struct world *w)
{
	uint16_t port = claim(w, "durable", 0);
	sqlite3 *db;
	sqlite3_stmt *statement;

	/* another connection sees committed rows only */
	assert_int_equal(sqlite3_open_v2(w->database, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, "SELECT port FROM services WHERE id='durable'", -1,
					    &statement, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	assert_int_equal(sqlite3_column_int(statement, 0), port);
	sqlite3_finalize(statement);
	sqlite3_close(db);
}

TEST_WITH(a_failed_commit_is_an_error_and_changes_nothing, struct world *w)
{
	struct rlimit before, none = { .rlim_cur = 1 };
	const struct answer *failed, *found;

	/* no file may grow: what a full disk is to the database */
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	none.rlim_max = before.rlim_max;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	failed = ask_claim(w, "no:disk", 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);

	assert_true(failed->status == 500 || failed->status == 507);
	assert_false(bool_of(failed, "ok"));
	found = ask_get(w, "/v1/services?pattern=no:disk");
	assert_ok(found);
	assert_int_equal(count_of(found, "services"), 0);
	claim(w, "no:disk", 0);
}

TEST_MAIN(world_open, world_close)
