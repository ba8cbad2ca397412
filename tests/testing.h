/* SPDX-License-Identifier: MIT */
/*
 * A test program: tests, which enter themselves in the order of their lines, and a main() that has
 * cmocka run them.
 *
 *	TEST(port_of_a_name_is_always_the_same)
 *	{
 *		...
 *	}
 *
 *	TEST_WITH(row_is_found_by_its_port, struct table *t)   t: what the setup left in *state
 *	{
 *		...
 *	}
 *
 *	TEST_MAIN(open_table, close_table)        once, around all tests (NULL: nothing); or
 *	EACH_TEST_MAIN(open_table, close_table)   around each test
 */
#ifndef TESTS_TESTING_H
#define TESTS_TESTING_H

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"

#define TESTS_MAX 128 /* of one program; cmocka passes over what is empty */

static struct CMUnitTest tests[TESTS_MAX];

#define TEST_IS_ALONE ((void *)tests) /* as the initial state of a test */

static inline void enter_test(struct CMUnitTest test)
{
	static size_t n;

	assert(n < ARRAY_SIZE(tests));
	tests[n++] = test;
}

static inline void set_up_each_test(CMFixtureFunction setup, CMFixtureFunction teardown)
{
	for (size_t i = 0; i < ARRAY_SIZE(tests) && tests[i].name; i++) {
		if (tests[i].setup_func || tests[i].initial_state == TEST_IS_ALONE)
			continue;
		tests[i].setup_func = setup;
		tests[i].teardown_func = teardown;
	}
}

/* Priorities of constructors up to 100 are the compiler's. */
#define ENTER_TEST(name, ...)                                                        \
	__attribute__((constructor(101 + __LINE__))) static void name##_enters(void) \
	{                                                                            \
		enter_test((struct CMUnitTest){ #name, __VA_ARGS__ });               \
	}

#define AWAIT_MS 20000 /* generous: sanitizers, emulated machines */

/* Does what stands behind the condition, again and again, until that is so. */
#define AWAIT(condition, ...)                                                  \
	do {                                                                   \
		int64_t deadline_ms_ = clock_ms(CLOCK_MONOTONIC) + AWAIT_MS;   \
                                                                               \
		while (!(condition)) {                                         \
			assert_true(clock_ms(CLOCK_MONOTONIC) < deadline_ms_); \
			__VA_ARGS__;                                           \
		}                                                              \
	} while (0)

#define TEST(name)                               \
	static void name(void **unused);         \
	ENTER_TEST(name, name, NULL, NULL, NULL) \
	static void name(void **unused)

/* A test that needs no setup, among others that have one around each. */
#define TEST_ALONE(name)                                  \
	static void name(void **unused);                  \
	ENTER_TEST(name, name, NULL, NULL, TEST_IS_ALONE) \
	static void name(void **unused)

#define TEST_WITH(name, parameter) TEST_BETWEEN(name, parameter, NULL, NULL)

/* A test with a setup and a teardown of its own. */
#define TEST_BETWEEN(name, parameter, setup, teardown)           \
	static void name(parameter);                             \
	static void name##_in_state(void **state)                \
	{                                                        \
		name(*state);                                    \
	}                                                        \
	ENTER_TEST(name, name##_in_state, setup, teardown, NULL) \
	static void name(parameter)

#define TEST_MAIN(setup, teardown)                                                         \
	int main(void)                                                                     \
	{                                                                                  \
		return cmocka_run_group_tests_name(__BASE_FILE__, tests, setup, teardown); \
	}

#define EACH_TEST_MAIN(setup, teardown)                                               \
	int main(void)                                                                \
	{                                                                             \
		set_up_each_test(setup, teardown);                                    \
		return cmocka_run_group_tests_name(__BASE_FILE__, tests, NULL, NULL); \
	}

#endif
