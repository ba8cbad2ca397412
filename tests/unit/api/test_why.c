/* SPDX-License-Identifier: MIT */
/* What `pd why PORT` answers, and to whom. */
#include "unit/api/world.h"

/* --- why --- */

TEST_WITH(a_free_port_is_free, struct world *w)
{
	const struct answer *a = get(w, "/v1/why?port=%u", free_port());

	assert_ok(a);
	assert_true(bool_of(a, "free"));
	assert_string_equal(text_of(a, "verdict"), "free");
	assert_non_null(strstr(text_of(a, "summary"), "is free"));
	assert_null(member(a->body, "errno"));
	assert_int_equal(count_of(a, "remedies"), 0);
	assert_string_equal(text_of(a, "asked.call"), "bind");
}

TEST_WITH(a_listener_is_explained_with_process_and_remedies, struct world *w)
{
	uint16_t port;
	_cleanup_close_ int fd = listening_socket(&port);
	char words[32];
	const struct answer *a = get_anew(w, "/v1/why?port=%u&addr=127.0.0.1", port);

	assert_ok(a);
	assert_string_equal(text_of(a, "verdict"), "listener");
	assert_string_equal(text_of(a, "errno"), "EADDRINUSE");
	snprintf(words, sizeof(words), "(pid %d)", getpid());
	assert_non_null(strstr(text_of(a, "summary"), words));
	assert_int_equal(int_of(a, "holders.0.pid"), getpid());
	assert_int_equal(int_of(a, "holders.0.fds.0"), fd);
	assert_int_equal(int_of(a, "holders.0.ancestry.0.pid"), getppid());
	assert_true(int_of(a, "holders.0.startTime") > 1000000000);
	assert_non_null(member(a->body, "holders.0.cmdline"));
	assert_non_null(strstr(json_object_get_string(member(a->body, "remedies")), "pd claim"));
}

TEST_WITH(a_wildcard_question_meets_a_specific_listener, struct world *w)
{
	uint16_t port;
	_cleanup_close_ int fd = listening_socket(&port);
	const struct answer *taken = get_anew(w, "/v1/why?port=%u&addr=0.0.0.0", port),
			    *other = get(w, "/v1/why?port=%u&addr=127.0.0.2", port),
			    *v6only = get(w, "/v1/why?port=%u&v6only=1", port);

	assert_string_equal(text_of(taken, "verdict"), "listener_wildcard_overlap");
	assert_true(bool_of(other, "free"));
	assert_true(bool_of(v6only, "free"));
}

TEST_WITH(udp_is_asked_about_by_itself, struct world *w)
{
	uint16_t port;
	_cleanup_close_ int fd = bound_socket(SOCK_DGRAM, &port);
	const struct answer *tcp = get_anew(w, "/v1/why?port=%u", port),
			    *udp = get(w, "/v1/why?port=%u&proto=udp", port);

	assert_true(bool_of(tcp, "free"));
	assert_string_equal(text_of(udp, "verdict"), "udp_bound");
	assert_string_equal(text_of(udp, "proto"), "udp");
	assert_non_null(strstr(text_of(udp, "summary"), "UDP port"));
}

TEST_WITH(what_a_process_was_told_is_shown_to_root_and_its_user_only, struct world *w)
{
	uint16_t port;
	_cleanup_close_ int fd = listening_socket(&port);
	const struct answer *mine, *theirs, *sockets;
	static const char *const hidden[] = { "cmdline", "exe", "cwd" };
	char path[64], name[64];

	world_resync(w);
	snprintf(path, sizeof(path), "/v1/why?port=%u", port);
	mine = ask_get(w, path);
	theirs = ask_as_other(w, "GET", path, "");
	snprintf(path, sizeof(path), "/v1/sockets?port=%u", port);
	sockets = ask_as_other(w, "GET", path, "");
	assert_ok(theirs);
	assert_int_equal(int_of(theirs, "holders.0.pid"), getpid());
	assert_string_equal(text_of(theirs, "holders.0.user"), "root");
	for (size_t i = 0; i < ARRAY_SIZE(hidden); i++) {
		snprintf(name, sizeof(name), "holders.0.%s", hidden[i]);
		assert_non_null(member(mine->body, name));
		assert_null(member(theirs->body, name));
		snprintf(name, sizeof(name), "sockets.0.holders.0.%s", hidden[i]);
		assert_null(member(sockets->body, name));
	}
	/* nor is a command offered that would not work */
	assert_null(strstr(json_object_get_string(member(theirs->body, "remedies")), "\"kill "));
}

static bool become_other(void *unused)
{
	return become_user(OTHER_UID);
}

TEST_WITH(a_user_sees_what_the_own_process_was_told, struct world *w)
{
	uint16_t port;
	int fd = listening_socket(&port);
	const struct answer *theirs;
	char path[64];
	pid_t child = child_begin(become_other, NULL);

	close(fd); /* the child alone holds it */
	world_resync(w);
	snprintf(path, sizeof(path), "/v1/why?port=%u", port);
	theirs = ask_as_other(w, "GET", path, "");
	child_end(child);
	assert_int_equal(int_of(theirs, "holders.0.pid"), child);
	assert_non_null(member(theirs->body, "holders.0.cmdline"));
}

TEST_WITH(a_stopped_holder_is_named_stopped, struct world *w)
{
	uint16_t port;
	int fd = listening_socket(&port), status;
	const struct answer *a;
	pid_t child = fork();

	if (!child) {
		raise(SIGSTOP);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, WUNTRACED), child);
	close(fd);
	a = get_anew(w, "/v1/why?port=%u", port);
	child_end(child);
	assert_string_equal(text_of(a, "holders.0.state"), "stopped");
	assert_non_null(strstr(text_of(a, "summary"), "Ctrl-Z"));
	assert_non_null(strstr(json_object_get_string(member(a->body, "remedies")), "kill -CONT"));
}

static bool take_hostile_name(void *unused)
{
	FILE *comm = fopen("/proc/self/comm", "w");

	return comm && fputs("\x1b[31m\"\xff\xfe\n\\", comm) >= 0 && !fclose(comm);
}

TEST_WITH(a_hostile_process_name_is_valid_json, struct world *w)
{
	uint16_t port;
	int fd = listening_socket(&port);
	const struct answer *a;
	pid_t child = child_begin(take_hostile_name, NULL);

	close(fd);
	a = get_anew(w, "/v1/why?port=%u", port);
	child_end(child);
	assert_non_null(a->body);
	assert_int_equal(int_of(a, "holders.0.pid"), child);
	assert_int_equal(strncmp(text_of(a, "holders.0.comm"), "\x1b[31m\"\xef\xbf\xbd", 9), 0);
}

TEST_WITH(refusals_of_the_port_are_listed, struct world *w)
{
	uint16_t port = free_port();
	const struct answer *a;
	char details[64];
	struct activity entry = { .action = ACTIVITY_FAIL,
				  .service = "",
				  .details = details,
				  .timestamp = time(NULL),
				  .port = port,
				  .pid = 77,
				  .uid = 0,
				  .comm = "vite",
				  .error = EADDRINUSE,
				  .call = "bind",
				  .addr = "::1" };

	/* a sentence for people, which nothing reads back */
	snprintf(details, sizeof(details), "listen 10.0.0.1:%u: EACCES", port);
	assert_int_equal(registry_begin(w->registry), 0);
	assert_int_equal(registry_log(w->registry, &entry, NULL), 0);
	entry.call = entry.addr = NULL; /* as it was written before there were columns for it */
	assert_int_equal(registry_log(w->registry, &entry, NULL), 0);
	entry.port++;
	assert_int_equal(registry_log(w->registry, &entry, NULL), 0);
	assert_int_equal(registry_commit(w->registry), 0);
	a = get(w, "/v1/why?port=%u", port);
	assert_int_equal(count_of(a, "failures"), 2);
	assert_null(member(a->body, "failures.0.addr"));
	assert_null(member(a->body, "failures.0.call"));
	assert_string_equal(text_of(a, "failures.1.comm"), "vite");
	assert_string_equal(text_of(a, "failures.1.errno"), "EADDRINUSE");
	assert_string_equal(text_of(a, "failures.1.addr"), "::1");
	assert_string_equal(text_of(a, "failures.1.call"), "bind");
}

/* --- explaining a refusal --- */

TEST_WITH(a_question_that_cannot_be_read_is_refused, struct world *w)
{
	static const struct bad_request questions[] = {
		{ "/v1/why?port=0", "port" },
		{ "/v1/why?port=3000&proto=sctp", "proto \"sctp\"" },
		{ "/v1/why?port=3000&addr=256.1.1.1", "addr \"256.1.1.1\"" },
		{ "/v1/why?port=3000&v6only=yes", "v6only \"yes\"" },
		{ "/v1/why?port=3000&reuseaddr=2", "reuseaddr \"2\"" },
		{ "/v1/why?port=3000&reuseport=on", "reuseport \"on\"" },
		{ "/v1/why?port=3000&addr=127.0.0.1&v6only=1", "v6only is a flag of IPv6" },
		{ "/v1/why?port=3000&dev=nosuchdev0", "interface \"nosuchdev0\"" },
		{ "/v1/why?port=3000&uid=-1", "uid \"-1\"" },
		{ "/v1/why?port=3000&uid=4294967295", "uid \"4294967295\"" },
		{ "/v1/why?port=3000&netns=nosuchname", "namespace \"nosuchname\"" },
		{ "/v1/why?port=3000&netns=../../proc/1/ns/net", "namespace \"../../proc" },
		{ "/v1/why?port=3000&netns=4194303", "no process 4194303" },
		{ "/v1/why?port=3000&pid=1", "pid asks for recorded refusals" },
		{ "/v1/why?port=3000&last=1", "last asks for recorded refusals" },
		{ "/v1/why?udp=1", "udp" },
		{ "/v1/why?proto=udp", "proto needs a port" },
		{ "/v1/why?pid=0", "pid \"0\"" },
		{ "/v1/why?pid=x", "pid \"x\"" },
		{ "/v1/why?last=0", "last \"0\"" },
		{ "/v1/why?last=51", "last \"51\"" },
		{ "/v1/sockets?port=80x", "80x" },
		{ "/v1/sockets?details=maybe", "maybe" },
	};

	assert_bad_paths(w, questions, ARRAY_SIZE(questions));
}

TEST_MAIN(world_open, world_close)
