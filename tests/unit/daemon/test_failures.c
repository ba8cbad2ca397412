/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "daemon/failures.h"

static struct event refusal(pid_t pid, uint16_t port)
{
	return (struct event){
		.kind = EVENT_FAIL,
		.actor = { .pid = pid, .start_ticks = 7 },
		.family = AF_INET,
		.port = port,
		.call = EVENT_CALL_BIND,
		.error = EADDRINUSE,
	};
}

static void first_refusal_is_written(void **state)
{
	struct failures f = { 0 };
	struct event e = refusal(10, 3000);
	unsigned repeated = 99;

	assert_true(failures_admit(&f, &e, 1000, &repeated));
	assert_int_equal(repeated, 0);
}

static void repeated_refusal_is_one_row_with_a_count(void **state)
{
	struct failures f = { 0 };
	struct event e = refusal(10, 3000);
	unsigned repeated;

	assert_true(failures_admit(&f, &e, 1000, &repeated));
	for (int i = 0; i < 41; i++)
		assert_false(failures_admit(&f, &e, 1000 + i % FAILURES_REPEAT_S, &repeated));
	assert_true(failures_admit(&f, &e, 1000 + FAILURES_REPEAT_S, &repeated));
	assert_int_equal(repeated, 41);
}

static void another_port_process_or_errno_is_another_refusal(void **state)
{
	struct failures f = { 0 };
	struct event e = refusal(10, 3000), port = refusal(10, 3001), pid = refusal(11, 3000);
	struct event error = refusal(10, 3000), reused = refusal(10, 3000);
	unsigned repeated;

	error.error = EACCES;
	reused.actor.start_ticks = 8;
	assert_true(failures_admit(&f, &e, 1000, &repeated));
	assert_true(failures_admit(&f, &port, 1000, &repeated));
	assert_true(failures_admit(&f, &pid, 1000, &repeated));
	assert_true(failures_admit(&f, &error, 1000, &repeated));
	assert_true(failures_admit(&f, &reused, 1000, &repeated));
}

static void flood_of_different_refusals_stays_within_the_budget(void **state)
{
	struct failures f = { 0 };
	unsigned repeated, written = 0;

	for (int i = 0; i < 10000; i++) {
		struct event e = refusal(10 + i, 3000);

		written += failures_admit(&f, &e, 1000, &repeated);
	}
	assert_int_equal(written, FAILURES_PER_S);
	assert_int_equal(f.dropped, 10000 - FAILURES_PER_S);
}

static void description_names_call_address_and_errno(void **state)
{
	struct event e = refusal(10, 3000);
	char text[FAILURES_DETAILS_SIZE];

	e.error = EACCES;
	e.family = AF_INET6;
	e.call = EVENT_CALL_LISTEN;
	failures_describe(&e, NULL, 3, text);
	assert_string_equal(text, "listen [::]:3000: EACCES (and 3 times more before)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_refusal_is_written),
		cmocka_unit_test(repeated_refusal_is_one_row_with_a_count),
		cmocka_unit_test(another_port_process_or_errno_is_another_refusal),
		cmocka_unit_test(flood_of_different_refusals_stays_within_the_budget),
		cmocka_unit_test(description_names_call_address_and_errno),
	};

	return cmocka_run_group_tests_name("failures", tests, NULL, NULL);
}
