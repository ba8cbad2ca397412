/* SPDX-License-Identifier: MIT */
/* A directory of the test's own. */
#ifndef TESTS_UNIT_DIRECTORY_H
#define TESTS_UNIT_DIRECTORY_H

#include "testing.h"

#define DIRECTORY_SIZE 32

static inline void directory_make(char ret[static DIRECTORY_SIZE])
{
	strcpy(ret, "/tmp/pd-test-XXXXXX");
	assert_non_null(mkdtemp(ret));
}

/* With whatever is in it. */
static inline void directory_remove(const char *directory)
{
	char command[DIRECTORY_SIZE + 8];

	snprintf(command, sizeof(command), "rm -r %s", directory);
	assert_int_equal(system(command), 0);
}

#endif
