/* SPDX-License-Identifier: MIT */
/* Real sockets, explained in plain structs: without an api, a client or JSON. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/quota.h"
#include "bpf/abi.h"
#include "explain/explain.h"
#include "explain/refusal.h"
#include "explain/remedies.h"
#include "explain/words.h"
#include "sentinel/sentinel.h"
#include "unit/home.h"
#include "unit/sockets.h"

struct rooms {
	struct explainer explainer;
	struct sentinel *sentinel;
	char directory[DIRECTORY_SIZE];
};

static void ignore(uint32_t netns, uint16_t port, void *user_data)
{
}

static int rooms_open(void **state)
{
	static const struct kernel_source proc_only;
	struct rooms *r = calloc(1, sizeof(*r));
	char database[HOME_PATH_SIZE];

	assert_non_null(r);
	r->explainer.registry = home_open(r->directory, database);
	assert_int_equal(inventory_new(&proc_only, &r->explainer.inventory), 0);
	assert_int_equal(sentinel_new(SENTINEL_TRACE_NONE, &r->sentinel), 0);
	r->explainer.report = sentinel_report(r->sentinel);
	r->explainer.kernel = sentinel_kernel_source(r->sentinel);
	*state = r;
	return 0;
}

static int rooms_close(void **state)
{
	struct rooms *r = *state;

	sentinel_free(r->sentinel);
	inventory_free(r->explainer.inventory);
	registry_close(r->explainer.registry);
	directory_remove(r->directory);
	free(r);
	return 0;
}

/* What root asks of the port now, with nothing found out yet. */
static struct why_facts ask(struct rooms *r, uint16_t port)
{
	struct why_facts f = { .question = why_default_question(IPPROTO_TCP, port),
			       .now = time(NULL) };

	assert_int_equal(inventory_resync(r->explainer.inventory, f.now, ignore, NULL), 0);
	assert_int_equal(why_netns_find(&r->explainer, NULL, &f.netns), 0);
	return f;
}

/* A child that holds the port alone, stopped. */
static pid_t stopped_holder(uint16_t *ret_port)
{
	int fd = listening_socket(ret_port), status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (!child) {
		raise(SIGSTOP);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, WUNTRACED), child);
	close(fd);
	return child;
}

static void end(pid_t child)
{
	int status;

	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, &status, 0), child);
}

TEST_WITH(a_listener_is_explained_with_its_holder_and_what_to_do, struct rooms *r)
{
	uint16_t port;
	_cleanup_close_ int fd = listening_socket(&port);
	_cleanup_(why_facts_deinit) struct why_facts f = ask(r, port);
	char words[32];

	assert_int_equal(explain_port(&r->explainer, &f), 0);
	assert_int_equal(f.answer.verdict, WHY_LISTENER);
	assert_int_equal(f.n_holders, 1);
	assert_int_equal(f.holders[0].process.id.pid, getpid());
	assert_non_null(f.holders[0].cmdline);
	snprintf(words, sizeof(words), "(pid %d)", getpid());
	assert_non_null(strstr(f.summary, words));
	snprintf(words, sizeof(words), "127.0.0.1:%u", port);
	assert_non_null(strstr(f.rule, words));
	assert_true(f.remedies.n > 0);
	assert_string_equal(f.remedies.list[f.remedies.n - 1].command, "pd claim NAME");
}

/* --- with a walk, and netlink cut off --- */

static struct abi_walk_answer walked;

static int walk(void *user_data, const struct abi_walk *asked, const struct abi_walk_answer **ret)
{
	*ret = &walked;
	return 0;
}

/* The walk finds this row, known by these two. */
static void let_walk_find(const struct socket_row *row, uint64_t cookie, uint64_t inode)
{
	struct abi_owner *owner = &walked.owners[0];

	walked = (struct abi_walk_answer){ .head = { .netns = row->netns, .n_owners = 1 } };
	*owner = (struct abi_owner){ .sock = 1,
				     .file = 2,
				     .cookie = cookie,
				     .inode = inode,
				     .file_refs = 1,
				     .protocol = row->protocol,
				     .family = row->family,
				     .tcp_state = 10 }; /* TCP_LISTEN */
	memcpy(owner->addr, row->addr.bytes, sizeof(owner->addr));
}

/* Every netlink socket of this process is another file for as long. */
static struct cut {
	int fds[8], kept[8], n;
} cut_netlink(void)
{
	_cleanup_close_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct cut cut = { .n = 0 };

	for (int fd = 3; fd < 256; fd++) {
		int domain = 0;
		socklen_t size = sizeof(domain);

		if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) || domain != AF_NETLINK)
			continue;
		assert_in_range(cut.n, 0, 7);
		cut.fds[cut.n] = fd;
		cut.kept[cut.n++] = fcntl(fd, F_DUPFD_CLOEXEC, 256);
		assert_int_equal(dup3(null, fd, O_CLOEXEC), fd);
	}
	assert_int_not_equal(cut.n, 0);
	return cut;
}

static void mend_netlink(const struct cut *cut)
{
	for (int i = 0; i < cut->n; i++) {
		dup3(cut->kept[i], cut->fds[i], O_CLOEXEC);
		close(cut->kept[i]);
	}
}

static int explain_without_netlink(struct rooms *r, struct why_facts *f)
{
	const struct kernel_source *before = r->explainer.kernel, walks = { .walk = walk };
	struct cut cut = cut_netlink();
	int error;

	r->explainer.kernel = &walks;
	error = explain_port(&r->explainer, f);
	r->explainer.kernel = before;
	mend_netlink(&cut);
	return error;
}

TEST_WITH(owner_that_the_table_knows_is_not_asked_of_sock_diag, struct rooms *r)
{
	uint16_t port;
	_cleanup_close_ int fd = listening_socket(&port);
	_cleanup_(why_facts_deinit) struct why_facts f = ask(r, port);
	const struct socket_row *row;

	assert_int_equal(inventory_by_port(r->explainer.inventory, f.netns.inode, port, &row, 1),
			 1);
	let_walk_find(row, row->cookie, row->inode);
	assert_int_equal(explain_without_netlink(r, &f), 0);
	assert_int_equal(f.answer.verdict, WHY_LISTENER);
	assert_int_equal(f.n_holders, 1);
	assert_int_equal(f.holders[0].process.id.pid, getpid());
}

TEST_WITH(owner_that_the_table_does_not_know_is_asked_of_sock_diag, struct rooms *r)
{
	uint16_t port;
	_cleanup_close_ int fd = listening_socket(&port);
	_cleanup_(why_facts_deinit) struct why_facts f = ask(r, port);
	const struct socket_row *row;

	assert_int_equal(inventory_by_port(r->explainer.inventory, f.netns.inode, port, &row, 1),
			 1);
	let_walk_find(row, row->cookie + 1000000, row->inode + 1000000);
	assert_true(explain_without_netlink(r, &f) < 0);
}

TEST_WITH(a_free_port_needs_nothing, struct rooms *r)
{
	_cleanup_(why_facts_deinit) struct why_facts f = ask(r, free_port());

	assert_int_equal(explain_port(&r->explainer, &f), 0);
	assert_int_equal(f.answer.verdict, WHY_FREE);
	assert_int_equal(f.n_holders, 0);
	assert_int_equal(f.remedies.n, 0);
	assert_string_equal(f.missing, "");
}

/* Whatever becomes of the holder: what is said is about the moment of the facts. */
TEST_WITH(words_are_written_from_the_facts_alone, struct rooms *r)
{
	uint16_t port;
	pid_t child = stopped_holder(&port);
	_cleanup_(why_facts_deinit) struct why_facts f = ask(r, port);
	struct why_remedies then;
	char summary[WHY_SUMMARY_SIZE], command[32];

	assert_int_equal(explain_port(&r->explainer, &f), 0);
	then = f.remedies;
	snprintf(summary, sizeof(summary), "%s", f.summary);
	end(child);
	memset(&f.remedies, 0, sizeof(f.remedies));
	why_summarize(&f);
	why_list_remedies(&f);
	assert_string_equal(f.summary, summary);
	assert_non_null(strstr(summary, "Ctrl-Z"));
	snprintf(command, sizeof(command), "kill -CONT %d", child);
	assert_string_equal(then.list[0].command, command);
	assert_int_equal(f.remedies.n, then.n);
	for (size_t i = 0; i < then.n; i++) {
		assert_string_equal(f.remedies.list[i].text, then.list[i].text);
		assert_string_equal(f.remedies.list[i].command, then.list[i].command);
	}
}

TEST_WITH(an_event_with_too_many_owners_is_refused, struct rooms *r)
{
	struct event e = { .kind = EVENT_FAIL, .n_owners = EVENT_OWNERS_MAX + 1 };
	struct refusal *evidence;

	assert_int_equal(refusal_new(r->explainer.inventory, &e, NULL, 1, &evidence), -EINVAL);
}

/* Of a bind of a process that has gone. */
static struct event refused(uid_t uid, uint32_t netns, uint16_t port)
{
	return (struct event){ .kind = EVENT_FAIL,
			       .uid = uid,
			       .comm = "victim",
			       .actor = { .pid = 1 << 22, .start_ticks = 7 }, /* above every pid */
			       .netns = netns,
			       .protocol = IPPROTO_TCP,
			       .family = AF_INET,
			       .port = port,
			       .call = EVENT_CALL_BIND,
			       .error = EADDRINUSE };
}

TEST_WITH(a_refusal_is_explained_to_its_own_user_and_as_it_was, struct rooms *r)
{
	uint16_t port;
	pid_t child = stopped_holder(&port);
	_cleanup_(why_facts_deinit) struct why_facts now = ask(r, port), f = { 0 };
	struct event e = refused(65534, now.netns.inode, port);
	struct refusal *evidence;

	assert_int_equal(refusal_new(r->explainer.inventory, &e, "shop:web", 1000, &evidence), 0);
	assert_int_equal(explain_refusal(&r->explainer, evidence, &f), 0);
	refusal_free(evidence);
	end(child);
	assert_int_equal(f.now, 1000);
	assert_int_equal(f.viewer, 65534);
	assert_string_equal(f.claim, "shop:web");
	assert_int_equal(f.holders[0].process.id.pid, child);
	assert_null(f.holders[0].cmdline); /* another user's */
	assert_non_null(strstr(f.summary, "was taken"));
	for (size_t i = 0; i < f.remedies.n; i++)
		assert_null(strstr(f.remedies.list[i].command, "kill"));
}

/* --- searches --- */

#define FLOODER 2300000
#define VICTIM	2400000

/* A listener that the walk finds and no process holds, as one in flight: all are looked through. */
static struct why_facts explain_unheld(struct rooms *r, uid_t uid)
{
	const struct kernel_source *before = r->explainer.kernel, walks = { .walk = walk };
	struct why_facts f = { 0 };
	struct event e = refused(uid, inventory_own_netns(r->explainer.inventory), 3000);
	const struct socket_row row = { .netns = e.netns,
					.protocol = IPPROTO_TCP,
					.family = AF_INET };
	struct refusal *evidence;

	e.n_owners = 1;
	e.owners[0] = (struct bind_owner){ .id = 1,
					   .file_id = 2,
					   .cookie = 1ull << 60,
					   .inode = 1ull << 60,
					   .file_refs = 1,
					   .protocol = IPPROTO_TCP,
					   .family = AF_INET,
					   .state = SOCKET_LISTEN };
	let_walk_find(&row, e.owners[0].cookie, e.owners[0].inode);
	assert_int_equal(refusal_new(r->explainer.inventory, &e, NULL, 1000, &evidence), 0);
	r->explainer.kernel = &walks;
	assert_int_equal(explain_refusal(&r->explainer, evidence, &f), 0);
	r->explainer.kernel = before;
	refusal_free(evidence);
	return f;
}

static bool is_searched_for(struct rooms *r, uid_t uid)
{
	_cleanup_(why_facts_deinit) struct why_facts f = explain_unheld(r, uid);

	return !f.left_out;
}

TEST_WITH(searches_of_one_user_leave_time_for_those_of_another, struct rooms *r)
{
	struct why_searches *searches = &r->explainer.searches;
	/* more than a user has, and less than there is: it comes back by a twentieth in a second */
	const int64_t flood = (int64_t)quota_limit(QUOTA_SEARCHES)->per_user * 3 / 2;

	assert_true(is_searched_for(r, FLOODER));
	assert_int_equal(searches->users[0].key[0], FLOODER);
	assert_true(searches->users[0].share.used > 0 && searches->machine.used > 0);
	searches->users[0].share.used += flood;
	searches->machine.used += flood;
	assert_false(is_searched_for(r, FLOODER));
	assert_true(is_searched_for(r, VICTIM));
	assert_false(is_searched_for(r, FLOODER));
}

TEST_MAIN(rooms_open, rooms_close)
