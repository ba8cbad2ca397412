/* SPDX-License-Identifier: MIT */
/* What `pd why` answers of refusals that were recorded, and to whom. */
#include "explain/brief.h"
#include "explain/refusal.h"
#include "unit/api/world.h"

DEFINE_CLEANUP(struct refusal *, refusal_free);

/* --- why, of recorded refusals --- */

static void record(struct world *w, uid_t uid, pid_t pid, uint16_t port, const char *verdict)
{
	char text[256];
	struct refusal_record failure = { .at = time(NULL),
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
	assert_int_equal(registry_record_refusal(w->registry, &failure, NULL), 0);
	assert_int_equal(registry_commit(w->registry), 0);
}

TEST_WITH(without_a_recorded_refusal_the_answer_says_what_to_do, struct world *w)
{
	assert_error(ask_get(w, "/v1/why"), 404, "not_found", "name the port");
}

TEST_WITH(the_newest_refusal_is_the_answer, struct world *w)
{
	const struct answer *newest, *of_pid, *two;

	record(w, 0, 7001, 3001, "listener");
	record(w, 0, 7002, 3002, "time_wait");
	newest = ask_get(w, "/v1/why");
	of_pid = ask_get(w, "/v1/why?pid=7001");
	two = ask_get(w, "/v1/why?last=2");
	assert_ok(newest);
	assert_int_equal(int_of(newest, "port"), 3002);
	assert_string_equal(text_of(newest, "verdict"), "time_wait");
	assert_null(member(newest->body, "refusals"));
	assert_int_equal(int_of(of_pid, "port"), 3001);
	assert_int_equal(int_of(two, "port"), 3002);
	assert_int_equal(count_of(two, "refusals"), 2);
	assert_int_equal(int_of(two, "refusals.0.port"), 3002);
	assert_int_equal(int_of(two, "refusals.1.port"), 3001);
}

TEST_WITH(refusals_are_shown_to_root_and_their_own_user_only, struct world *w)
{
	const struct answer *mine, *theirs, *of_pid;

	record(w, OTHER_UID, 7003, 3003, "listener");
	record(w, 0, 7004, 3004, "listener");
	mine = ask_get(w, "/v1/why?pid=7003");
	theirs = ask_as_other(w, "GET", "/v1/why", "");
	of_pid = ask_as_other(w, "GET", "/v1/why?pid=7004", "");
	assert_int_equal(int_of(mine, "port"), 3003);
	assert_int_equal(int_of(theirs, "port"), 3003);
	assert_error(of_pid, 404, "not_found", "");
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

static struct refusal *take(struct world *w, const struct event *e, const char *service)
{
	struct refusal *evidence = NULL;

	assert_int_equal(refusal_new(w->inventory, e, service, time(NULL) - 12, &evidence), 0);
	return evidence;
}

static const struct answer *explain_later(struct world *w, const struct refusal *evidence)
{
	_cleanup_free_ char *text = NULL;
	struct why_obstacle obstacle;
	struct answer *a = answer_new(w);
	bool found;

	assert_int_equal(api_explain_refusal(w->api, evidence, &text, &obstacle, &found), 0);
	a->body = json_tokener_parse(text);
	assert_non_null(a->body);
	return a;
}

static const struct answer *explain(struct world *w, const struct event *e)
{
	_cleanup_(refusal_freep) struct refusal *evidence = take(w, e, NULL);

	return explain_later(w, evidence);
}

/* As the kernel hands over the owner of a port that was in the way. */
static struct bind_owner listener(uint64_t cookie, uint64_t inode)
{
	return (struct bind_owner){ .id = 1,
				    .cookie = cookie,
				    .inode = inode,
				    .protocol = IPPROTO_TCP,
				    .family = AF_INET,
				    .state = SOCKET_LISTEN,
				    .file_refs = 1 };
}

TEST_WITH(a_refusal_names_the_holder_of_that_moment, struct world *w)
{
	uint16_t port;
	int fd = listening_socket(&port);
	struct event e = refusal(port);
	const struct socket_row *row;
	const struct answer *a;
	char words[32];

	world_resync(w);
	assert_int_equal(inventory_by_port(w->inventory, 0, port, &row, 1), 1);
	e.netns = row->netns;
	e.n_owners = 1;
	e.owners[0] = listener(row->cookie, row->inode);
	e.owners[0].addr = row->addr;
	e.owners[0].port_asked = true;
	close(fd); /* gone before anybody looks; the table has not been told */
	a = explain(w, &e);
	assert_string_equal(text_of(a, "errno"), "EADDRINUSE");
	assert_false(bool_of(a, "free"));
	assert_int_equal(int_of(a, "holders.0.pid"), getpid());
	snprintf(words, sizeof(words), "(pid %d)", getpid());
	assert_non_null(strstr(text_of(a, "summary"), words));
	assert_non_null(strstr(text_of(a, "summary"), "was taken"));
	assert_string_equal(text_of(a, "asked.call"), "bind");
	assert_string_equal(text_of(a, "asked.comm"), "victim");
	assert_int_equal(int_of(a, "asked.pid"), 1 << 22);
	assert_in_range(time(NULL) - int_of(a, "asked.at"), 11, 40);
}

static void apply(struct world *w, const struct event *e, int64_t at)
{
	bool settle;

	assert_int_equal(inventory_apply(w->inventory, e, at, NULL, NULL, &settle), 0);
}

/* A table that learned of one listener, 12, by events: of a process that no /proc knows. */
static struct event table_with_a_listener(struct world *w)
{
	struct event process = { .kind = EVENT_PROCESS,
				 .actor = { .pid = (1 << 22) + 1, .start_ticks = 7 } };
	struct event listens = {
		.kind = EVENT_LISTEN,
		.boot_ns = clock_ns(CLOCK_BOOTTIME),
		.actor = process.actor,
		.cookie = 12,
		.inode = 34,
		.protocol = IPPROTO_TCP,
		.family = AF_INET,
		.port = 3000,
	};

	strcpy(process.comm, "node");
	process.process.id = process.actor;
	strcpy(process.process.comm, "node");
	strcpy(process.process.cwd, "/srv/shop");
	listens.netns = inventory_own_netns(w->inventory);
	apply(w, &process, 1);
	apply(w, &listens, 1);
	return listens;
}

/* The kernel names that listener as the one that was in the way. */
static struct event refusal_by(const struct event *listens)
{
	struct event e = refusal(listens->port);

	e.netns = listens->netns;
	e.n_owners = 1;
	e.owners[0] = listener(listens->cookie, listens->inode);
	return e;
}

/* The listener is closed, its process has ended, and so many others that it was forgotten. */
static void forget_listener(struct world *w, const struct event *listens)
{
	struct event gone = *listens, other = { .kind = EVENT_PROCESS };

	gone.kind = EVENT_CLOSE;
	apply(w, &gone, 2);
	gone.kind = EVENT_EXIT;
	apply(w, &gone, 2);
	for (int i = 0; inventory_process(w->inventory, &listens->actor); i++) {
		assert_true(i < 10000);
		other.actor = (struct process_id){ .pid = (1 << 23) + i, .start_ticks = 7 };
		other.kind = EVENT_PROCESS;
		apply(w, &other, 2);
		other.kind = EVENT_EXIT;
		apply(w, &other, 2);
	}
}

TEST_WITH(evidence_of_the_moment_outlives_the_socket_and_the_tables_memory, struct world *w)
{
	struct event listens = table_with_a_listener(w), e = refusal_by(&listens);
	_cleanup_(refusal_freep) struct refusal *evidence = NULL;
	const struct answer *a;

	evidence = take(w, &e, "shop:web");
	forget_listener(w, &listens);
	a = explain_later(w, evidence);
	assert_string_equal(text_of(a, "verdict"), "listener");
	assert_int_equal(count_of(a, "holders"), 1);
	assert_int_equal(int_of(a, "holders.0.pid"), listens.actor.pid);
	assert_string_equal(text_of(a, "holders.0.comm"), "node");
	assert_string_equal(text_of(a, "service"), "shop:web");
}

TEST_WITH(port_that_has_a_new_listener_by_now_is_not_its_doing, struct world *w)
{
	struct event listens = table_with_a_listener(w), e = refusal_by(&listens), later;
	_cleanup_(refusal_freep) struct refusal *evidence = NULL;
	const struct answer *a;

	evidence = take(w, &e, NULL);
	forget_listener(w, &listens);
	later = listens;
	later.cookie = 13;
	later.inode = 35;
	later.actor.pid++;
	apply(w, &later, 2);
	a = explain_later(w, evidence);
	assert_int_equal(count_of(a, "holders"), 1);
	assert_int_equal(int_of(a, "holders.0.pid"), listens.actor.pid);
}

TEST_WITH(a_refusal_without_owners_keeps_its_errno, struct world *w)
{
	struct event e = refusal(80);
	const struct answer *a;

	e.error = EACCES;
	e.uid = e.sk_uid = OTHER_UID;
	e.netns = inventory_own_netns(w->inventory);
	a = explain(w, &e);
	assert_string_equal(text_of(a, "errno"), "EACCES");
	assert_string_equal(text_of(a, "verdict"), "privileged_port");
	assert_int_equal(count_of(a, "holders"), 0);
}

struct two_servers {
	uint16_t port;
	int four;
};

static bool listen_on_ipv6_alone(void *data)
{
	const struct two_servers *servers = data;
	struct sockaddr_in6 six = { .sin6_family = AF_INET6,
				    .sin6_addr = in6addr_loopback,
				    .sin6_port = htons(servers->port) };
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;

	close(servers->four);
	return !setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof(yes)) &&
	       !bind(fd, (struct sockaddr *)&six, sizeof(six)) && !listen(fd, 8);
}

TEST_WITH(two_servers_on_one_port_are_warned_of, struct world *w)
{
	struct two_servers servers;
	const struct answer *why, *one;
	pid_t child;

	servers.four = listening_socket(&servers.port);
	one = get_anew(w, "/v1/why?port=%u", servers.port);
	child = child_begin(listen_on_ipv6_alone, &servers);
	why = get_anew(w, "/v1/why?port=%u", servers.port);
	child_end(child);
	close(servers.four);
	assert_null(member(one->body, "warning"));
	assert_non_null(strstr(text_of(why, "warning"), "two servers share port"));
}

TEST_MAIN(world_open, world_close)
