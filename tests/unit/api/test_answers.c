/* SPDX-License-Identifier: MIT */
/* What find, find --all, why, log and status answer, and to whom. */
#include <signal.h>

#include "world.h"

static struct answer get(struct world *w, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static struct answer get(struct world *w, const char *format, ...)
{
	char path[128];
	va_list args;

	va_start(args, format);
	vsnprintf(path, sizeof(path), format, args);
	va_end(args);
	return ask_get(w, path);
}

static struct answer claim_port(struct world *w, const char *id, uint16_t port)
{
	char body[128];

	snprintf(body, sizeof(body), "{\"id\":\"%s\",\"port\":%u}", id, port);
	return ask_post(w, "/v1/claims", body);
}

/* A listener on exactly this port. */
static int listen_at(uint16_t port)
{
	struct sockaddr_in name = { .sin_family = AF_INET,
				    .sin_port = htons(port),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (bind(fd, (struct sockaddr *)&name, sizeof(name)) || listen(fd, 8)) {
		close(fd);
		return -1;
	}
	return fd;
}

/* A listener in the range that services are given, on a port that is free by chance. */
static int listen_in_range(uint16_t *ret_port)
{
	for (uint16_t port = 9900; port > 9000; port--) {
		int fd = listen_at(port);

		if (fd >= 0) {
			*ret_port = port;
			return fd;
		}
	}
	fail_msg("no port of 9000-9900 is free");
	*ret_port = 0;
	return -1;
}

/* --- find --- */

static void nothing_found_is_two_empty_arrays(void **state)
{
	_cleanup_answer_ struct answer a = ask_get(*state, "/v1/services?pattern=none:*");

	assert_ok(&a);
	assert_int_equal(count_of(&a, "services"), 0);
	assert_int_equal(count_of(&a, "orphans"), 0);
}

static void a_served_claim_is_active_with_its_process(void **state)
{
	uint16_t port = free_port();
	_cleanup_answer_ struct answer claimed = claim_port(*state, "served", port), a = { 0 };
	_cleanup_close_ int fd = listen_at(port);

	assert_ok(&claimed);
	assert_true(fd >= 0);
	world_resync(*state);
	a = ask_get(*state, "/v1/services?pattern=serv*");
	assert_ok(&a);
	assert_string_equal(text_of(&a, "services.0.status"), "active");
	assert_int_equal(count_of(&a, "services.0.pids"), 1);
	assert_int_equal(int_of(&a, "services.0.pids.0"), getpid());
	assert_string_not_equal(text_of(&a, "services.0.process"), "(null)");
}

static void a_pid_that_died_is_not_printed(void **state)
{
	struct world *w = *state;
	uint16_t port;
	int fd = listening_socket(&port), status;
	pid_t child = fork();
	_cleanup_answer_ struct answer before = { 0 }, after = { 0 };

	if (!child) {
		pause();
		_exit(0);
	}
	world_resync(w); /* parent and child hold the socket */
	before = get(w, "/v1/sockets?port=%u", port);
	close(fd);
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, &status, 0), child);
	after = get(w, "/v1/sockets?port=%u", port); /* no event has told the table */
	assert_int_equal(count_of(&before, "sockets.0.pids"), 2);
	for (size_t i = 0; i < count_of(&after, "sockets"); i++)
		assert_int_equal(count_of(&after, "sockets.0.pids"), 0);
}

static void a_listener_of_the_range_without_a_claim_is_an_orphan_row(void **state)
{
	uint16_t port;
	_cleanup_close_ int fd = listen_in_range(&port);
	_cleanup_answer_ struct answer a = { 0 }, only = { 0 }, claims = { 0 };

	world_resync(*state);
	a = get(*state, "/v1/services?port=%u", port);
	assert_ok(&a);
	assert_int_equal(count_of(&a, "orphans"), 1);
	assert_int_equal(int_of(&a, "orphans.0.port"), port);
	assert_string_equal(text_of(&a, "orphans.0.proto"), "tcp");
	assert_string_equal(text_of(&a, "orphans.0.addr"), "127.0.0.1");
	assert_int_equal(int_of(&a, "orphans.0.pids.0"), getpid());
	assert_string_equal(text_of(&a, "orphans.0.user"), "root");
	assert_string_not_equal(text_of(&a, "orphans.0.reason"), "(null)");

	only = ask_get(*state, "/v1/services?status=orphan");
	claims = ask_get(*state, "/v1/services?status=active");
	assert_int_equal(count_of(&only, "services"), 0);
	assert_true(count_of(&only, "orphans") >= 1);
	assert_int_equal(count_of(&claims, "orphans"), 0);
}

static void a_claimed_port_is_no_orphan(void **state)
{
	uint16_t port;
	int fd = listen_in_range(&port);
	_cleanup_answer_ struct answer claimed = { 0 }, a = { 0 };

	close(fd);
	world_resync(*state);
	claimed = claim_port(*state, "claimed:served", port);
	fd = listen_at(port);
	world_resync(*state);
	a = get(*state, "/v1/services?port=%u", port);
	close(fd);
	assert_ok(&claimed);
	assert_int_equal(count_of(&a, "services"), 1);
	assert_int_equal(count_of(&a, "orphans"), 0);
}

static void a_status_filters_by_what_is_now(void **state)
{
	uint16_t port = free_port();
	_cleanup_answer_ struct answer claimed = claim_port(*state, "turns", port);
	_cleanup_answer_ struct answer before = { 0 }, active = { 0 };
	struct world *w = *state;
	unsigned changed;
	int fd;

	before = ask_get(w, "/v1/services?pattern=turns&status=active");
	fd = listen_at(port);
	world_resync(w); /* and nobody judged the claim since */
	changed = w->changed;
	active = ask_get(w, "/v1/services?pattern=turns&status=active");
	close(fd);
	assert_int_equal(count_of(&before, "services"), 0);
	assert_int_equal(count_of(&active, "services"), 1);
	assert_int_equal(w->changed, changed + 1);
}

/* --- find --all --- */

static void sockets_name_their_holders_and_their_claim(void **state)
{
	uint16_t port = free_port();
	_cleanup_answer_ struct answer claimed = claim_port(*state, "all:web", port), a = { 0 };
	_cleanup_close_ int fd = listen_at(port);

	world_resync(*state);
	a = get(*state, "/v1/sockets?port=%u", port);
	assert_ok(&a);
	assert_int_equal(count_of(&a, "sockets"), 1);
	assert_string_equal(text_of(&a, "sockets.0.state"), "LISTEN");
	assert_string_equal(text_of(&a, "sockets.0.service"), "all:web");
	assert_string_equal(text_of(&a, "sockets.0.status"), "active");
	assert_true(json_object_get_boolean(member(a.body, "sockets.0.ownNetns")));
	assert_int_equal(int_of(&a, "sockets.0.holders.0.pid"), getpid());
	assert_int_equal(int_of(&a, "sockets.0.holders.0.fds.0"), fd);
	assert_non_null(member(a.body, "sockets.0.cookie"));
}

static void sockets_without_details_say_who_and_leave_out_how(void **state)
{
	uint16_t port;
	_cleanup_close_ int fd = listening_socket(&port);
	_cleanup_answer_ struct answer brief = { 0 }, full = { 0 };

	world_resync(*state);
	brief = get(*state, "/v1/sockets?details=no&port=%u", port);
	full = get(*state, "/v1/sockets?details=yes&port=%u", port);
	assert_int_equal(int_of(&brief, "sockets.0.pids.0"), getpid());
	assert_string_equal(text_of(&brief, "sockets.0.process"),
			    text_of(&full, "sockets.0.process"));
	assert_string_equal(text_of(&brief, "sockets.0.addr"), text_of(&full, "sockets.0.addr"));
	assert_string_equal(text_of(&brief, "sockets.0.user"), text_of(&full, "sockets.0.user"));
	assert_null(member(brief.body, "sockets.0.holders"));
	assert_null(member(brief.body, "sockets.0.inode"));
	assert_int_equal(int_of(&full, "sockets.0.holders.0.pid"), getpid());
}

static void all_lists_in_order_of_port_and_only_what_serves(void **state)
{
	uint16_t listening, merely_bound;
	_cleanup_close_ int one = listening_socket(&listening);
	_cleanup_close_ int two = bound_socket(SOCK_STREAM, &merely_bound);
	_cleanup_answer_ struct answer all = { 0 }, narrow = { 0 };
	bool found = false;

	world_resync(*state);
	all = ask_get(*state, "/v1/sockets");
	narrow = get(*state, "/v1/sockets?port=%u", merely_bound);
	for (size_t i = 0; i < count_of(&all, "sockets"); i++) {
		struct json_object *row = json_object_array_get_idx(member(all.body, "sockets"), i);
		int port = json_object_get_int(json_object_object_get(row, "port"));

		found = found || port == listening;
		assert_int_not_equal(port, merely_bound);
		if (i)
			assert_true(port >= json_object_get_int(member(
						    json_object_array_get_idx(
							    member(all.body, "sockets"), i - 1),
						    "port")));
	}
	assert_true(found);
	/* without sock_diag's bound-inactive dump (before 6.8) nobody sees it */
	if (count_of(&narrow, "sockets"))
		assert_string_equal(text_of(&narrow, "sockets.0.state"), "BOUND");
}

/* --- why --- */

static void a_free_port_is_free(void **state)
{
	_cleanup_answer_ struct answer a = get(*state, "/v1/why?port=%u", free_port());

	assert_ok(&a);
	assert_true(json_object_get_boolean(member(a.body, "free")));
	assert_string_equal(text_of(&a, "verdict"), "free");
	assert_non_null(strstr(text_of(&a, "summary"), "is free"));
	assert_null(member(a.body, "errno"));
	assert_int_equal(count_of(&a, "remedies"), 0);
	assert_string_equal(text_of(&a, "asked.call"), "bind");
}

static void a_listener_is_explained_with_process_and_remedies(void **state)
{
	uint16_t port;
	_cleanup_close_ int fd = listening_socket(&port);
	_cleanup_answer_ struct answer a = { 0 };
	char words[32];

	world_resync(*state);
	a = get(*state, "/v1/why?port=%u&addr=127.0.0.1", port);
	assert_ok(&a);
	assert_string_equal(text_of(&a, "verdict"), "listener");
	assert_string_equal(text_of(&a, "errno"), "EADDRINUSE");
	snprintf(words, sizeof(words), "(pid %d)", getpid());
	assert_non_null(strstr(text_of(&a, "summary"), words));
	assert_int_equal(int_of(&a, "holders.0.pid"), getpid());
	assert_int_equal(int_of(&a, "holders.0.fds.0"), fd);
	assert_int_equal(int_of(&a, "holders.0.ancestry.0.pid"), getppid());
	assert_true(int_of(&a, "holders.0.startTime") > 1000000000);
	assert_non_null(member(a.body, "holders.0.cmdline"));
	assert_non_null(strstr(json_object_get_string(member(a.body, "remedies")), "pd claim"));
}

static void a_wildcard_question_meets_a_specific_listener(void **state)
{
	uint16_t port;
	_cleanup_close_ int fd = listening_socket(&port);
	_cleanup_answer_ struct answer taken = { 0 }, other = { 0 }, v6only = { 0 };

	world_resync(*state);
	taken = get(*state, "/v1/why?port=%u&addr=0.0.0.0", port);
	other = get(*state, "/v1/why?port=%u&addr=127.0.0.2", port);
	v6only = get(*state, "/v1/why?port=%u&v6only=1", port);
	assert_string_equal(text_of(&taken, "verdict"), "listener_wildcard_overlap");
	assert_true(json_object_get_boolean(member(other.body, "free")));
	assert_true(json_object_get_boolean(member(v6only.body, "free")));
}

static void udp_is_asked_about_by_itself(void **state)
{
	uint16_t port;
	_cleanup_close_ int fd = bound_socket(SOCK_DGRAM, &port);
	_cleanup_answer_ struct answer tcp = { 0 }, udp = { 0 };

	world_resync(*state);
	tcp = get(*state, "/v1/why?port=%u", port);
	udp = get(*state, "/v1/why?port=%u&proto=udp", port);
	assert_true(json_object_get_boolean(member(tcp.body, "free")));
	assert_string_equal(text_of(&udp, "verdict"), "udp_bound");
	assert_string_equal(text_of(&udp, "proto"), "udp");
	assert_non_null(strstr(text_of(&udp, "summary"), "UDP port"));
}

static void what_a_process_was_told_is_shown_to_root_and_its_user_only(void **state)
{
	uint16_t port;
	_cleanup_close_ int fd = listening_socket(&port);
	_cleanup_answer_ struct answer mine = { 0 }, theirs = { 0 }, sockets = { 0 };
	static const char *const hidden[] = { "cmdline", "exe", "cwd" };
	char path[64], name[64];

	world_resync(*state);
	snprintf(path, sizeof(path), "/v1/why?port=%u", port);
	mine = ask_get(*state, path);
	theirs = ask_as_other(*state, "GET", path, "");
	snprintf(path, sizeof(path), "/v1/sockets?port=%u", port);
	sockets = ask_as_other(*state, "GET", path, "");
	assert_ok(&theirs);
	assert_int_equal(int_of(&theirs, "holders.0.pid"), getpid());
	assert_string_equal(text_of(&theirs, "holders.0.user"), "root");
	for (size_t i = 0; i < ARRAY_SIZE(hidden); i++) {
		snprintf(name, sizeof(name), "holders.0.%s", hidden[i]);
		assert_non_null(member(mine.body, name));
		assert_null(member(theirs.body, name));
		snprintf(name, sizeof(name), "sockets.0.holders.0.%s", hidden[i]);
		assert_null(member(sockets.body, name));
	}
	/* nor is a command offered that would not work */
	assert_null(strstr(json_object_get_string(member(theirs.body, "remedies")), "\"kill "));
}

static void a_user_sees_what_the_own_process_was_told(void **state)
{
	struct world *w = *state;
	uint16_t port;
	int fd = listening_socket(&port), go[2], status;
	_cleanup_answer_ struct answer theirs = { 0 };
	char path[64], byte;
	pid_t child;

	assert_int_equal(pipe(go), 0);
	child = fork();
	if (!child) {
		if (setresgid(OTHER_UID, OTHER_UID, OTHER_UID) ||
		    setresuid(OTHER_UID, OTHER_UID, OTHER_UID) || write(go[1], "x", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	assert_int_equal(read(go[0], &byte, 1), 1);
	close(fd); /* the child alone holds it */
	world_resync(w);
	snprintf(path, sizeof(path), "/v1/why?port=%u", port);
	theirs = ask_as_other(w, "GET", path, "");
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, &status, 0), child);
	close(go[0]);
	close(go[1]);
	assert_int_equal(int_of(&theirs, "holders.0.pid"), child);
	assert_non_null(member(theirs.body, "holders.0.cmdline"));
}

static void a_stopped_holder_is_named_stopped(void **state)
{
	struct world *w = *state;
	uint16_t port;
	int fd = listening_socket(&port), status;
	_cleanup_answer_ struct answer a = { 0 };
	pid_t child = fork();

	if (!child) {
		raise(SIGSTOP);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, WUNTRACED), child);
	close(fd);
	world_resync(w);
	a = get(w, "/v1/why?port=%u", port);
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_string_equal(text_of(&a, "holders.0.state"), "stopped");
	assert_non_null(strstr(text_of(&a, "summary"), "Ctrl-Z"));
	assert_non_null(strstr(json_object_get_string(member(a.body, "remedies")), "kill -CONT"));
}

static void a_hostile_process_name_is_valid_json(void **state)
{
	struct world *w = *state;
	uint16_t port;
	int fd = listening_socket(&port), status, go[2];
	_cleanup_answer_ struct answer a = { 0 };
	pid_t child;
	char byte;

	assert_int_equal(pipe(go), 0);
	child = fork();
	if (!child) {
		FILE *comm = fopen("/proc/self/comm", "w");

		if (!comm || fputs("\x1b[31m\"\xff\xfe\n\\", comm) < 0 || fclose(comm) ||
		    write(go[1], "x", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	assert_int_equal(read(go[0], &byte, 1), 1);
	close(fd);
	world_resync(w);
	a = get(w, "/v1/why?port=%u", port);
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, &status, 0), child);
	close(go[0]);
	close(go[1]);
	assert_non_null(a.body);
	assert_int_equal(int_of(&a, "holders.0.pid"), child);
	assert_int_equal(strncmp(text_of(&a, "holders.0.comm"), "\x1b[31m\"\xef\xbf\xbd", 9), 0);
}

static void refusals_of_the_port_are_listed(void **state)
{
	struct world *w = *state;
	uint16_t port = free_port();
	_cleanup_answer_ struct answer a = { 0 };
	char details[64];
	struct activity entry = { .action = ACTIVITY_FAIL,
				  .service = "",
				  .details = details,
				  .timestamp = time(NULL),
				  .port = port,
				  .pid = 77,
				  .uid = 0,
				  .comm = "vite",
				  .error = EADDRINUSE };

	snprintf(details, sizeof(details), "bind [::1]:%u: EADDRINUSE; held by node (1)", port);
	assert_int_equal(registry_begin(w->registry), 0);
	assert_int_equal(registry_log(w->registry, &entry, NULL), 0);
	entry.port++;
	assert_int_equal(registry_log(w->registry, &entry, NULL), 0);
	assert_int_equal(registry_commit(w->registry), 0);
	a = get(w, "/v1/why?port=%u", port);
	assert_int_equal(count_of(&a, "failures"), 1);
	assert_string_equal(text_of(&a, "failures.0.comm"), "vite");
	assert_string_equal(text_of(&a, "failures.0.errno"), "EADDRINUSE");
	assert_string_equal(text_of(&a, "failures.0.addr"), "::1");
	assert_string_equal(text_of(&a, "failures.0.call"), "bind");
}

/* --- why, of recorded refusals --- */

static void record(struct world *w, uid_t uid, pid_t pid, uint16_t port, const char *verdict)
{
	char text[256];
	struct failure failure = { .at = time(NULL),
				   .caller = { .pid = pid, .start_ticks = 7 },
				   .uid = uid,
				   .comm = "vite",
				   .port = port,
				   .error = EADDRINUSE,
				   .explanation = text };

	snprintf(text, sizeof(text),
		 "{\"port\":%u,\"free\":false,\"verdict\":\"%s\",\"summary\":\"Port %u was "
		 "taken.\"}",
		 port, verdict, port);
	assert_int_equal(registry_begin(w->registry), 0);
	assert_int_equal(registry_record_failure(w->registry, &failure, NULL), 0);
	assert_int_equal(registry_commit(w->registry), 0);
}

static void without_a_recorded_refusal_the_answer_says_what_to_do(void **state)
{
	_cleanup_answer_ struct answer a = ask_get(*state, "/v1/why");

	assert_error(&a, 404, "not_found", "name the port");
}

static void the_newest_refusal_is_the_answer(void **state)
{
	_cleanup_answer_ struct answer newest = { 0 }, of_pid = { 0 }, two = { 0 };

	record(*state, 0, 7001, 3001, "listener");
	record(*state, 0, 7002, 3002, "time_wait");
	newest = ask_get(*state, "/v1/why");
	of_pid = ask_get(*state, "/v1/why?pid=7001");
	two = ask_get(*state, "/v1/why?last=2");
	assert_ok(&newest);
	assert_int_equal(int_of(&newest, "port"), 3002);
	assert_string_equal(text_of(&newest, "verdict"), "time_wait");
	assert_null(member(newest.body, "refusals"));
	assert_int_equal(int_of(&of_pid, "port"), 3001);
	assert_int_equal(int_of(&two, "port"), 3002);
	assert_int_equal(count_of(&two, "refusals"), 2);
	assert_int_equal(int_of(&two, "refusals.0.port"), 3002);
	assert_int_equal(int_of(&two, "refusals.1.port"), 3001);
}

static void refusals_are_shown_to_root_and_their_own_user_only(void **state)
{
	_cleanup_answer_ struct answer mine = { 0 }, theirs = { 0 }, of_pid = { 0 };

	record(*state, OTHER_UID, 7003, 3003, "listener");
	record(*state, 0, 7004, 3004, "listener");
	mine = ask_get(*state, "/v1/why?pid=7003");
	theirs = ask_as_other(*state, "GET", "/v1/why", "");
	of_pid = ask_as_other(*state, "GET", "/v1/why?pid=7004", "");
	assert_int_equal(int_of(&mine, "port"), 3003);
	assert_int_equal(int_of(&theirs, "port"), 3003);
	assert_error(&of_pid, 404, "not_found", "");
}

/* --- explaining a refusal --- */

static struct event refusal(uint16_t port)
{
	struct event e = { .kind = EVENT_FAIL,
			   .uid = 0,
			   .comm = "victim",
			   .protocol = IPPROTO_TCP,
			   .family = AF_INET,
			   .port = port,
			   .call = EVENT_CALL_BIND,
			   .error = EADDRINUSE };

	e.actor.pid = 1 << 22; /* above every pid: it is gone by now */
	e.actor.start_ticks = 7;
	return e;
}

static struct json_object *explain(struct world *w, const struct event *e)
{
	char *text = NULL;
	struct json_object *o;

	assert_int_equal(api_explain_failure(w->api, e, time(NULL) - 12, &text), 0);
	o = json_tokener_parse(text);
	assert_non_null(o);
	free(text);
	return o;
}

static const char *text_in(struct json_object *o, const char *path)
{
	const char *text = json_object_get_string(member(o, path));

	return text ? text : "(null)";
}

static void a_refusal_names_the_holder_of_that_moment(void **state)
{
	struct world *w = *state;
	uint16_t port;
	int fd = listening_socket(&port);
	struct event e = refusal(port);
	const struct socket_row *row;
	struct json_object *o;
	char words[32];

	world_resync(w);
	assert_int_equal(inventory_by_port(w->inventory, 0, port, &row, 1), 1);
	e.netns = row->netns;
	e.n_owners = 1;
	e.owners[0] = (struct bind_owner){ .id = 1,
					   .cookie = row->cookie,
					   .inode = row->inode,
					   .protocol = IPPROTO_TCP,
					   .family = AF_INET,
					   .state = SOCKET_LISTEN,
					   .addr = row->addr,
					   .file_refs = 1,
					   .port_asked = true };
	close(fd); /* gone before anybody looks; the table has not been told */
	o = explain(w, &e);
	assert_string_equal(text_in(o, "errno"), "EADDRINUSE");
	assert_false(json_object_get_boolean(member(o, "free")));
	assert_int_equal(json_object_get_int(member(o, "holders.0.pid")), getpid());
	snprintf(words, sizeof(words), "(pid %d)", getpid());
	assert_non_null(strstr(text_in(o, "summary"), words));
	assert_non_null(strstr(text_in(o, "summary"), "was taken"));
	assert_string_equal(text_in(o, "asked.call"), "bind");
	assert_string_equal(text_in(o, "asked.comm"), "victim");
	assert_int_equal(json_object_get_int(member(o, "asked.pid")), 1 << 22);
	assert_in_range(time(NULL) - json_object_get_int64(member(o, "asked.at")), 11, 40);
	json_object_put(o);
}

static void a_refusal_without_owners_keeps_its_errno(void **state)
{
	struct world *w = *state;
	struct event e = refusal(80);
	struct json_object *o;

	e.error = EACCES;
	e.uid = e.sk_uid = OTHER_UID;
	e.netns = inventory_own_netns(w->inventory);
	o = explain(w, &e);
	assert_string_equal(text_in(o, "errno"), "EACCES");
	assert_string_equal(text_in(o, "verdict"), "privileged_port");
	assert_int_equal(json_object_array_length(member(o, "holders")), 0);
	json_object_put(o);
}

static void two_servers_on_one_port_are_warned_of(void **state)
{
	struct world *w = *state;
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_addr = in6addr_loopback };
	uint16_t port;
	int four = listening_socket(&port), fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int status, yes = 1, go[2];
	_cleanup_answer_ struct answer why = { 0 }, one = { 0 };
	pid_t child;
	char byte;

	assert_int_equal(pipe(go), 0);
	world_resync(w);
	one = get(w, "/v1/why?port=%u", port);
	child = fork();
	if (!child) {
		close(four);
		six.sin6_port = htons(port);
		if (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof(yes)) ||
		    bind(fd, (struct sockaddr *)&six, sizeof(six)) || listen(fd, 8) ||
		    write(go[1], "x", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	close(fd);
	assert_int_equal(read(go[0], &byte, 1), 1);
	world_resync(w);
	why = get(w, "/v1/why?port=%u", port);
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, &status, 0), child);
	close(four);
	close(go[0]);
	close(go[1]);
	assert_null(member(one.body, "warning"));
	assert_non_null(strstr(text_of(&why, "warning"), "two servers share port"));
}

static void a_question_that_cannot_be_read_is_refused(void **state)
{
	static const char *const paths[] = {
		"/v1/why?port=0",
		"/v1/why?port=3000&proto=sctp",
		"/v1/why?port=3000&addr=256.1.1.1",
		"/v1/why?port=3000&v6only=yes",
		"/v1/why?port=3000&reuseaddr=2",
		"/v1/why?port=3000&reuseport=on",
		"/v1/why?port=3000&addr=127.0.0.1&v6only=1",
		"/v1/why?port=3000&dev=nosuchdev0",
		"/v1/why?port=3000&uid=-1",
		"/v1/why?port=3000&uid=4294967295",
		"/v1/why?port=3000&netns=nosuchname",
		"/v1/why?port=3000&netns=../../proc/1/ns/net",
		"/v1/why?port=3000&netns=4194303",
		"/v1/why?port=3000&pid=1",
		"/v1/why?port=3000&last=1",
		"/v1/why?udp=1",
		"/v1/why?proto=udp",
		"/v1/why?pid=0",
		"/v1/why?pid=x",
		"/v1/why?last=0",
		"/v1/why?last=51",
		"/v1/sockets?port=80x",
		"/v1/sockets?details=maybe",
	};

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		_cleanup_answer_ struct answer a = ask_get(*state, paths[i]);

		assert_error(&a, 400, "bad_request", "");
	}
}

/* --- log --- */

static void the_log_is_newest_first_and_counted(void **state)
{
	_cleanup_answer_ struct answer one = ask_post(*state, "/v1/claims", "{\"id\":\"log:1\"}");
	_cleanup_answer_ struct answer two = ask_post(*state, "/v1/claims", "{\"id\":\"log:2\"}");
	_cleanup_answer_ struct answer both = ask_get(*state, "/v1/log?filter=log:*");
	_cleanup_answer_ struct answer last = ask_get(*state, "/v1/log?n=1&filter=claim");

	assert_int_equal(count_of(&both, "entries"), 2);
	assert_string_equal(text_of(&both, "entries.0.service"), "log:2");
	assert_true(int_of(&both, "entries.0.id") > int_of(&both, "entries.1.id"));
	assert_int_equal(count_of(&last, "entries"), 1);
	assert_string_equal(text_of(&last, "entries.0.service"), "log:2");
	assert_string_equal(text_of(&last, "entries.0.user"), "root");
}

static void the_log_is_cut_by_time(void **state)
{
	_cleanup_answer_ struct answer one = ask_post(*state, "/v1/claims", "{\"id\":\"log:3\"}");
	_cleanup_answer_ struct answer since = ask_get(*state, "/v1/log?filter=log:3&since=1h");
	_cleanup_answer_ struct answer past =
		ask_get(*state, "/v1/log?filter=log:3&to=2001-01-01T00:00:00Z");
	_cleanup_answer_ struct answer unix_s = ask_get(*state,
							"/v1/log?filter=log:3&from=1000000000");
	_cleanup_answer_ struct answer zone =
		ask_get(*state, "/v1/log?filter=log:3&from=2001-01-01T00:00:00%2B01:00");

	assert_int_equal(count_of(&since, "entries"), 1);
	assert_int_equal(count_of(&past, "entries"), 0);
	assert_int_equal(count_of(&unix_s, "entries"), 1);
	assert_int_equal(count_of(&zone, "entries"), 1);
}

static void a_log_that_cannot_be_cut_is_refused(void **state)
{
	static const struct {
		const char *path, *words;
	} rows[] = {
		{ "/v1/log?n=0", "1 to 10000" },
		{ "/v1/log?n=10001", "1 to 10000" },
		{ "/v1/log?n=-5", "1 to 10000" },
		{ "/v1/log?n=%201", "1 to 10000" },
		{ "/v1/log?n=99999999999999999999", "1 to 10000" },
		{ "/v1/log?since=soon", "2h30m" },
		{ "/v1/log?since=1d2x", "character" },
		{ "/v1/log?from=2001-13-01", "2:47am" },
		{ "/v1/log?to=25:00", "2:47am" },
		{ "/v1/log?from=2002-01-01&to=2001-01-01", "after" },
		{ "/v1/log?filter=what%20ever", "CLAIM" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_answer_ struct answer a = ask_get(*state, rows[i].path);

		assert_error(&a, 400, "bad_request", rows[i].words);
	}
}

/* --- status --- */

static void the_status_has_every_part_of_the_contract(void **state)
{
	static const char *const parts[] = {
		"daemon.pid",	     "daemon.uptime",	  "daemon.version",   "kernel.mode",
		"kernel.probes",     "kernel.lost",	  "database.path",    "database.healthy",
		"services.active",   "services.claimed",  "services.stale",   "services.ghost",
		"services.orphaned", "services.squatted", "services.orphans", "locks.held",
		"sessions.active",   "activity.recent",
	};
	struct world *w = *state;
	_cleanup_answer_ struct answer a = ask_get(w, "/v1/status");

	assert_ok(&a);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		if (!member(a.body, parts[i]))
			fail_msg("%s is missing", parts[i]);
	assert_int_equal(int_of(&a, "daemon.pid"), getpid());
	assert_string_equal(text_of(&a, "daemon.socket"), w->socket);
	assert_string_equal(text_of(&a, "kernel.mode"), "poll");
	assert_true(json_object_get_boolean(member(a.body, "database.healthy")));
	assert_true(int_of(&a, "activity.recent") > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_found_is_two_empty_arrays),
		cmocka_unit_test(a_served_claim_is_active_with_its_process),
		cmocka_unit_test(a_pid_that_died_is_not_printed),
		cmocka_unit_test(a_listener_of_the_range_without_a_claim_is_an_orphan_row),
		cmocka_unit_test(a_claimed_port_is_no_orphan),
		cmocka_unit_test(a_status_filters_by_what_is_now),
		cmocka_unit_test(sockets_name_their_holders_and_their_claim),
		cmocka_unit_test(sockets_without_details_say_who_and_leave_out_how),
		cmocka_unit_test(all_lists_in_order_of_port_and_only_what_serves),
		cmocka_unit_test(a_free_port_is_free),
		cmocka_unit_test(a_listener_is_explained_with_process_and_remedies),
		cmocka_unit_test(a_wildcard_question_meets_a_specific_listener),
		cmocka_unit_test(udp_is_asked_about_by_itself),
		cmocka_unit_test(what_a_process_was_told_is_shown_to_root_and_its_user_only),
		cmocka_unit_test(a_user_sees_what_the_own_process_was_told),
		cmocka_unit_test(a_stopped_holder_is_named_stopped),
		cmocka_unit_test(a_hostile_process_name_is_valid_json),
		cmocka_unit_test(refusals_of_the_port_are_listed),
		cmocka_unit_test(without_a_recorded_refusal_the_answer_says_what_to_do),
		cmocka_unit_test(the_newest_refusal_is_the_answer),
		cmocka_unit_test(refusals_are_shown_to_root_and_their_own_user_only),
		cmocka_unit_test(a_refusal_names_the_holder_of_that_moment),
		cmocka_unit_test(a_refusal_without_owners_keeps_its_errno),
		cmocka_unit_test(two_servers_on_one_port_are_warned_of),
		cmocka_unit_test(a_question_that_cannot_be_read_is_refused),
		cmocka_unit_test(the_log_is_newest_first_and_counted),
		cmocka_unit_test(the_log_is_cut_by_time),
		cmocka_unit_test(a_log_that_cannot_be_cut_is_refused),
		cmocka_unit_test(the_status_has_every_part_of_the_contract),
	};

	return cmocka_run_group_tests_name("api/answers", tests, world_open, world_close);
}
