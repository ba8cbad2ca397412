/* SPDX-License-Identifier: MIT */
/* What a file says of starting services, and in which order they are started and ended. */
#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/project/config.h"
#include "cli/supervise/needs.h"
#include "testing.h"
#include "unit/directory.h"

static char directory[DIRECTORY_SIZE], error[2048];

static int make_directory(void **state)
{
	directory_make(directory);
	return 0;
}

static int remove_directory(void **state)
{
	directory_remove(directory);
	return 0;
}

/* NULL where it is refused; the caller's. */
static struct config *read_services(const char *services)
{
	struct config *config = NULL;
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "%s/" CONFIG_NAME, directory);
	f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f, "{\"project\": \"shop\", \"services\": {%s}}", services);
	fclose(f);
	return config_find(directory, &config, error, sizeof(error)) == 1 ? config : NULL;
}

#define SHOP                                                                          \
	"\"web\": {\"needs\": [\"api\"]}, \"api\": {\"needs\": [\"db\", \"queue\"]}," \
	"\"db\": {}, \"queue\": {}, \"docs\": {}"
enum { WEB, API, DB, QUEUE, DOCS, N };

TEST(service_waits_until_all_that_it_needs_are_ready)
{
	_cleanup_(config_freep) struct config *config = read_services(SHOP);
	_cleanup_(needs_deinit) struct needs needs;

	assert_int_equal(needs_new(config, &needs, error, sizeof(error)), 0);
	needs_want(&needs, WEB);
	assert_int_equal(needs.nodes[DOCS].state, NEEDS_LEFT_OUT);
	assert_int_equal(needs_next(&needs), DB);
	needs.nodes[DB].state = NEEDS_BEGUN;
	assert_int_equal(needs_next(&needs), QUEUE);
	needs.nodes[QUEUE].state = NEEDS_READY;
	assert_int_equal(needs_next(&needs), N);
	needs.nodes[DB].state = NEEDS_READY;
	assert_int_equal(needs_next(&needs), API);
	needs.nodes[API].state = NEEDS_READY;
	assert_int_equal(needs_next(&needs), WEB);
}

TEST(who_needs_what_is_over_never_begins)
{
	_cleanup_(config_freep) struct config *config = read_services(SHOP);
	_cleanup_(needs_deinit) struct needs needs;

	assert_int_equal(needs_new(config, &needs, error, sizeof(error)), 0);
	for (size_t i = 0; i < N; i++)
		needs_want(&needs, i);
	needs_give_up(&needs, DB);
	assert_int_equal(needs.nodes[WEB].state, NEEDS_OVER);
	assert_int_equal(needs.nodes[API].state, NEEDS_OVER);
	assert_int_equal(needs.nodes[QUEUE].state, NEEDS_WAITING);
	assert_int_equal(needs.nodes[DOCS].state, NEEDS_WAITING);
}

TEST(end_comes_in_the_reverse_order)
{
	_cleanup_(config_freep) struct config *config = read_services(SHOP);
	_cleanup_(needs_deinit) struct needs needs;
	static const size_t expected[N] = { [WEB] = 0, [API] = 1, [DB] = 2, [QUEUE] = 2 };
	size_t steps[N];

	assert_int_equal(needs_new(config, &needs, error, sizeof(error)), 0);
	assert_int_equal(needs_order_of_end(&needs, steps), 3);
	assert_memory_equal(steps, expected, sizeof(steps));
}

static void assert_refused(const char *services, const char *words)
{
	_cleanup_(config_freep) struct config *config = read_services(services);
	struct needs needs;

	error[0] = config ? '\0' : error[0];
	if (config)
		assert_int_equal(needs_new(config, &needs, error, sizeof(error)), -EINVAL);
	if (!strstr(error, words))
		fail_msg("\"%s\" is not in: %s", words, error);
}

TEST(circles_are_refused_with_their_path)
{
	assert_refused("\"a\": {\"needs\": [\"a\"]}", "in a circle: a -> a");
	assert_refused("\"x\": {\"needs\": [\"a\"]}, \"a\": {\"needs\": [\"b\"]},"
		       "\"b\": {\"needs\": [\"c\"]}, \"c\": {\"needs\": [\"a\"]}",
		       "in a circle: a -> b -> c -> a");
}

TEST(unknown_need_is_refused_by_name)
{
	assert_refused("\"a\": {\"needs\": [\"postgres\"]}",
		       "service 'a' needs 'postgres', which is not in this file");
}

TEST(what_a_file_says_of_a_start_is_read)
{
	_cleanup_(config_freep) struct config *config = read_services(
		"\"web\": {\"cmd\": \"exec vite\", \"cwd\": \"web\", \"env\": {\"A\": \"b=c\","
		" \"N\": 3, \"T\": true}, \"restart\": \"on-failure\", \"stopSignal\": \"SIGINT\","
		" \"stopTimeout\": \"1s500ms\"}, \"plain\": {}");
	const struct config_start *s;

	assert_non_null(config);
	s = &config->services[0].start;
	assert_string_equal(s->cmd, "exec vite");
	assert_string_equal(s->cwd, "web");
	assert_int_equal(s->n_env, 3);
	assert_string_equal(s->env[0], "A=b=c");
	assert_string_equal(s->env[1], "N=3");
	assert_string_equal(s->env[2], "T=true");
	assert_true(s->restarts);
	assert_int_equal(s->stop_signal, SIGINT);
	assert_int_equal(s->stop_timeout_ms, 1500);
	s = &config->services[1].start;
	assert_null(s->cmd);
	assert_false(s->restarts);
	assert_int_equal(s->stop_signal, SIGTERM);
	assert_int_equal(s->stop_timeout_ms, CONFIG_STOP_TIMEOUT_MS);
}

TEST(what_cannot_be_started_is_refused_with_its_place)
{
	assert_refused("\"a\": {\"cmd\": \"\"}", "the cmd of service 'a' is not written like");
	assert_refused("\"a\": {\"cmd\": \"x\\u0000y\"}", "the cmd of service 'a'");
	assert_refused("\"a\": {\"cwd\": 3}", "the cwd of service 'a'");
	assert_refused("\"a\": {\"env\": [\"A=b\"]}", "the env of service 'a'");
	assert_refused("\"a\": {\"env\": {\"A=B\": \"c\"}}", "the variable \"A=B\"");
	assert_refused("\"a\": {\"env\": {\"A\": {}}}", "the variable \"A\"");
	assert_refused("\"a\": {\"needs\": \"b\"}", "the needs of service 'a' are no list");
	assert_refused("\"a\": {\"needs\": [1]}", "the needs of service 'a' are no list");
	assert_refused("\"a\": {\"restart\": \"always\"}", "\"on-failure\" and \"never\"");
	assert_refused("\"a\": {\"stopSignal\": \"SIGSEGV\"}", "the stopSignal of service 'a'");
	assert_refused("\"a\": {\"stopTimeout\": \"soon\"}", "no duration like \"10s\"");
	assert_refused("\"a\": {\"stopTimeout\": 10}", "line 1, column");
}

TEST(hash_changes_with_what_is_started)
{
	static const char *const services[] = {
		"\"a\": {\"cmd\": \"x\"}",
		"\"a\": {\"cmd\": \"y\"}",
		"\"a\": {\"cmd\": \"x\", \"cwd\": \"y\"}",
		"\"a\": {\"cmd\": \"x\", \"env\": {\"A\": \"\"}}",
		"\"a\": {\"cmd\": \"x\", \"env\": {\"A\": \"\", \"B\": \"\"}}",
		"\"a\": {\"cmd\": \"x\", \"restart\": \"on-failure\"}",
	};
	uint64_t hashes[ARRAY_SIZE(services)];

	for (size_t i = 0; i < ARRAY_SIZE(services); i++) {
		_cleanup_(config_freep) struct config *config = read_services(services[i]);

		hashes[i] = config_start_hash(&config->services[0].start);
		for (size_t j = 0; j < i; j++)
			assert_true(hashes[i] != hashes[j]);
	}
}

TEST_MAIN(make_directory, remove_directory)
