/* SPDX-License-Identifier: MIT */
/* What find and find --all answer. */
#include <sys/prctl.h>

#include "tracker/socket_walk.h"
#include "unit/api/world.h"

/* --- find --- */

TEST_WITH(nothing_found_is_two_empty_arrays, struct world *w)
{
	const struct answer *a = ask_get(w, "/v1/services?pattern=none:*");

	assert_ok(a);
	assert_int_equal(count_of(a, "services"), 0);
	assert_int_equal(count_of(a, "orphans"), 0);
}

TEST_WITH(a_served_claim_is_active_with_its_process, struct world *w)
{
	uint16_t port = claim(w, "served", free_port());
	const struct answer *a;
	_cleanup_close_ int fd = listen_at(port);

	assert_true(fd >= 0);
	world_resync(w);
	a = ask_get(w, "/v1/services?pattern=serv*");
	assert_ok(a);
	assert_string_equal(text_of(a, "services.0.status"), "active");
	assert_int_equal(count_of(a, "services.0.pids"), 1);
	assert_int_equal(int_of(a, "services.0.pids.0"), getpid());
	assert_string_not_equal(text_of(a, "services.0.process"), "(null)");
}

TEST_WITH(a_pid_that_died_is_not_printed, struct world *w)
{
	uint16_t port;
	int fd = listening_socket(&port);
	pid_t child = child_begin(NULL, NULL);
	const struct answer *both, *one, *none;

	world_resync(w); /* parent and child hold the socket */
	both = get(w, "/v1/sockets?port=%u", port);
	assert_int_equal(count_of(both, "sockets.0.pids"), 2);
	child_end(child);
	one = get(w, "/v1/sockets?port=%u", port); /* no event has told the table */
	assert_int_equal(count_of(one, "sockets.0.pids"), 1);
	assert_int_equal(int_of(one, "sockets.0.pids.0"), getpid());
	close(fd);
	none = get(w, "/v1/sockets?port=%u", port);
	assert_int_equal(count_of(none, "sockets.0.pids"), 0);
}

TEST_WITH(a_listener_of_the_range_without_a_claim_is_an_orphan_row, struct world *w)
{
	uint16_t port;
	_cleanup_close_ int fd = listen_in_range(&port);
	const struct answer *a = get_anew(w, "/v1/services?port=%u", port), *only, *claims;

	assert_ok(a);
	assert_int_equal(count_of(a, "orphans"), 1);
	assert_int_equal(int_of(a, "orphans.0.port"), port);
	assert_string_equal(text_of(a, "orphans.0.proto"), "tcp");
	assert_string_equal(text_of(a, "orphans.0.addr"), "127.0.0.1");
	assert_int_equal(int_of(a, "orphans.0.pids.0"), getpid());
	assert_string_equal(text_of(a, "orphans.0.user"), "root");
	assert_string_not_equal(text_of(a, "orphans.0.reason"), "(null)");

	only = ask_get(w, "/v1/services?status=orphan");
	claims = ask_get(w, "/v1/services?status=active");
	assert_int_equal(count_of(only, "services"), 0);
	assert_true(count_of(only, "orphans") >= 1);
	assert_int_equal(count_of(claims, "orphans"), 0);
}

TEST_WITH(a_claimed_port_is_no_orphan, struct world *w)
{
	uint16_t port;
	int fd = listen_in_range(&port);
	const struct answer *a;

	close(fd);
	world_resync(w);
	claim(w, "claimed:served", port);
	fd = listen_at(port);
	a = get_anew(w, "/v1/services?port=%u", port);
	close(fd);
	assert_int_equal(count_of(a, "services"), 1);
	assert_int_equal(count_of(a, "orphans"), 0);
}

static bool keep_status(const struct service *service, void *ret)
{
	*(enum service_status *)ret = service->status;
	return false;
}

/* The status that the registry has for the port's claim. */
static enum service_status stored_status(struct world *w, uint16_t port)
{
	enum service_status status = _SERVICE_STATUS_MAX;

	assert_int_equal(registry_service_by_port(w->registry, port, keep_status, &status), 0);
	return status;
}

TEST_WITH(a_status_filters_by_what_is_now, struct world *w)
{
	uint16_t port = claim(w, "turns", free_port());
	int fd;
	const struct answer *before = ask_get(w, "/v1/services?pattern=turns&status=active"),
			    *active;

	fd = listen_at(port);
	world_resync(w); /* and nobody judged the claim since */
	assert_int_equal(stored_status(w, port), SERVICE_CLAIMED);
	active = ask_get(w, "/v1/services?pattern=turns&status=active");
	close(fd);
	assert_int_equal(count_of(before, "services"), 0);
	assert_int_equal(count_of(active, "services"), 1);
	assert_int_equal(stored_status(w, port), SERVICE_ACTIVE);
}

/* --- find --all --- */

TEST_WITH(sockets_name_their_holders_and_their_claim, struct world *w)
{
	uint16_t port = claim(w, "all:web", free_port());
	const struct answer *a;
	_cleanup_close_ int fd = listen_at(port);

	a = get_anew(w, "/v1/sockets?port=%u", port);
	assert_ok(a);
	assert_int_equal(count_of(a, "sockets"), 1);
	assert_string_equal(text_of(a, "sockets.0.state"), "LISTEN");
	assert_string_equal(text_of(a, "sockets.0.service"), "all:web");
	assert_string_equal(text_of(a, "sockets.0.status"), "active");
	assert_true(bool_of(a, "sockets.0.ownNetns"));
	assert_int_equal(int_of(a, "sockets.0.holders.0.pid"), getpid());
	assert_int_equal(int_of(a, "sockets.0.holders.0.fds.0"), fd);
	assert_non_null(member(a->body, "sockets.0.cookie"));
}

TEST_WITH(sockets_without_details_say_who_and_leave_out_how, struct world *w)
{
	uint16_t port;
	_cleanup_close_ int fd = listening_socket(&port);
	const struct answer *brief = get_anew(w, "/v1/sockets?details=no&port=%u", port),
			    *full = get(w, "/v1/sockets?details=yes&port=%u", port);

	assert_int_equal(int_of(brief, "sockets.0.pids.0"), getpid());
	assert_string_equal(text_of(brief, "sockets.0.process"),
			    text_of(full, "sockets.0.process"));
	assert_string_equal(text_of(brief, "sockets.0.addr"), text_of(full, "sockets.0.addr"));
	assert_string_equal(text_of(brief, "sockets.0.user"), text_of(full, "sockets.0.user"));
	assert_null(member(brief->body, "sockets.0.holders"));
	assert_null(member(brief->body, "sockets.0.inode"));
	assert_int_equal(int_of(full, "sockets.0.holders.0.pid"), getpid());
}

/* A line is written without a tree of objects: whatever stands in it, both say the same. */
TEST_WITH(a_socket_is_the_same_with_details_and_without, struct world *w)
{
	static const char *const names[] = { "a\"b\\c/d",    "tab\there\n\r\b\f",
					     "\x01\x1f\x7f", "\xc3\xa4\xf0\x9f\x8d\x8c",
					     "cut\xe2\x82",  "MainThread" };
	uint16_t port;
	_cleanup_close_ int fd = listening_socket(&port);
	char own[PROCESS_COMM_SIZE];

	prctl(PR_GET_NAME, own);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const struct answer *brief, *full;

		prctl(PR_SET_NAME, names[i]);
		world_resync(w);
		brief = get(w, "/v1/sockets?details=no&port=%u", port);
		full = get(w, "/v1/sockets?details=yes&port=%u", port);
		json_object_object_foreach(member(brief->body, "sockets.0"), key, value) {
			struct json_object *same = NULL;

			assert_true(json_object_object_get_ex(member(full->body, "sockets.0"), key,
							      &same));
			assert_string_equal(json_object_to_json_string(value),
					    json_object_to_json_string(same));
		}
	}
	prctl(PR_SET_NAME, own);
	assert_true(fd >= 0);
}

/* More than are asked in one call, some of them on one port. */
TEST_WITH(a_long_list_has_every_socket_once, struct world *w)
{
	enum { SOCKETS = SOCKET_WALK_ROWS + 100, ON_ONE_PORT = 20 };
	int fds[SOCKETS];
	uint16_t first = free_port();
	size_t listed = 0;
	char path[96] = "/v1/sockets?details=no";

	for (int i = 0; i < SOCKETS; i++) {
		struct sockaddr_in name = {
			.sin_family = AF_INET,
			.sin_port = i < ON_ONE_PORT ? htons(first) : 0,
			.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)i),
		};

		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_false(bind(fds[i], (const struct sockaddr *)&name, sizeof(name)));
		assert_false(listen(fds[i], 1));
	}
	world_resync(w);
	while (*path) {
		const struct answer *page = get(w, "%s", path);

		for (size_t i = 0; i < count_of(page, "sockets"); i++) {
			char holder[64];

			snprintf(holder, sizeof(holder), "sockets.%zu.pids.0", i);
			listed += member(page->body, holder) && int_of(page, holder) == getpid();
		}
		if (member(page->body, "next"))
			snprintf(path, sizeof(path), "/v1/sockets?details=no&after=%s",
				 text_of(page, "next"));
		else
			*path = '\0';
	}
	for (int i = 0; i < SOCKETS; i++)
		close(fds[i]);
	/* or the table has these ports taken, and a later test may be given one of them */
	world_resync(w);
	assert_int_equal(listed, SOCKETS);
}

TEST_WITH(services_without_details_say_what_a_table_shows, struct world *w)
{
	uint16_t served = claim(w, "brief:a", free_port()), silent;
	_cleanup_close_ int fd = listen_at(served);
	const struct answer *brief, *full;

	assert_true(fd >= 0);
	silent = claim(w, "brief:b", free_port());
	brief = get_anew(w, "/v1/services?details=no&pattern=brief:*");
	full = get(w, "/v1/services?details=yes&pattern=brief:*");
	assert_int_equal(count_of(brief, "services"), 2);
	assert_int_equal(int_of(brief, "services.0.pids.0"), getpid());
	assert_string_equal(text_of(brief, "services.0.process"),
			    text_of(full, "services.0.process"));
	assert_int_equal(int_of(brief, "services.1.port"), silent);
	assert_int_equal(int_of(brief, "services.1.createdAt"),
			 int_of(full, "services.1.createdAt"));
	assert_string_equal(text_of(brief, "services.1.status"), "claimed");
	assert_null(member(brief->body, "services.1.pids"));
	assert_null(member(brief->body, "services.0.cwd"));
	assert_non_null(member(full->body, "services.0.user"));
}

TEST_WITH(details_are_asked_for_with_yes_or_no, struct world *w)
{
	assert_error(ask_get(w, "/v1/services?details=maybe"), 400, "bad_request", "yes nor no");
}

TEST_WITH(all_lists_in_order_of_port_and_only_what_serves, struct world *w)
{
	uint16_t listening, merely_bound;
	_cleanup_close_ int one = listening_socket(&listening);
	_cleanup_close_ int two = bound_socket(SOCK_STREAM, &merely_bound);
	const struct answer *all, *narrow;
	bool found = false;

	world_resync(w);
	all = ask_get(w, "/v1/sockets");
	narrow = get(w, "/v1/sockets?port=%u", merely_bound);
	for (size_t i = 0; i < count_of(all, "sockets"); i++) {
		struct json_object *row = json_object_array_get_idx(member(all->body, "sockets"),
								    i);
		int port = json_object_get_int(json_object_object_get(row, "port"));

		found = found || port == listening;
		assert_int_not_equal(port, merely_bound);
		if (i)
			assert_true(port >= json_object_get_int(member(
						    json_object_array_get_idx(
							    member(all->body, "sockets"), i - 1),
						    "port")));
	}
	assert_true(found);
	/* without sock_diag's bound-inactive dump (before 6.8) nobody sees it */
	if (count_of(narrow, "sockets"))
		assert_string_equal(text_of(narrow, "sockets.0.state"), "BOUND");
}

static void assert_in_order(const struct answer *a, char last[IDENTITY_MAX + 1])
{
	for (size_t i = 0; i < count_of(a, "services"); i++) {
		struct json_object *service = json_object_array_get_idx(member(a->body, "services"),
									i);
		const char *id = json_object_get_string(json_object_object_get(service, "id"));

		assert_true(strcmp(last, id) < 0);
		snprintf(last, IDENTITY_MAX + 1, "%s", id);
	}
}

/* More than a page of them. */
TEST_WITH(a_long_list_has_every_service_once_and_in_order, struct world *w)
{
	const struct answer *first, *rest, *some;
	char last[IDENTITY_MAX + 1] = "";

	assert_int_equal(registry_begin(w->registry), 0);
	for (int i = 0; i < 600; i++) {
		char id[32];
		struct claim_request request = { .id = id, .uid = geteuid(), .now = time(NULL) };
		struct claim_result result;

		snprintf(id, sizeof(id), "long:s%d", i);
		assert_int_equal(registry_claim(w->registry, &request, NULL, NULL, &result), 0);
	}
	assert_int_equal(registry_commit(w->registry), 0);
	first = ask_get(w, "/v1/services?pattern=long:*");
	assert_ok(first);
	rest = get(w, "/v1/services?pattern=long:*&after=%s", text_of(first, "next"));
	assert_ok(rest);
	some = ask_get(w, "/v1/services?pattern=long:s5*");
	assert_int_equal(count_of(first, "services"), 500);
	assert_int_equal(count_of(rest, "services"), 100);
	assert_int_equal(count_of(some, "services"), 111);
	assert_in_order(first, last);
	assert_in_order(rest, last);
	assert_null(member(rest->body, "next"));
}

TEST_MAIN(world_open, world_close)
