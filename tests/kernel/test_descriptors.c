/* SPDX-License-Identifier: MIT */
/* Which descriptors of programs and maps a sentinel keeps: each is power for whoever has the
 * process. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sentinel/sentinel.h"
#include "testing.h"

/* How many of this process's descriptors are of that kind. */
static unsigned count(const char *kind)
{
	DIR *directory = opendir("/proc/self/fd");
	struct dirent *entry;
	char target[64];
	unsigned n = 0;

	assert_non_null(directory);
	while ((entry = readdir(directory))) {
		ssize_t length = readlinkat(dirfd(directory), entry->d_name, target,
					    sizeof(target) - 1);

		if (length > 0) {
			target[length] = '\0';
			n += !strcmp(target, kind);
		}
	}
	closedir(directory);
	return n;
}

TEST(sentinel_keeps_the_programs_that_it_asks_and_the_maps_that_it_writes)
{
	struct sentinel *s;

	assert_int_equal(sentinel_new(SENTINEL_TRACE_AUTO, &s), 0);
	if (sentinel_report(s)->mode != SENTINEL_MODE_BPF) {
		sentinel_free(s);
		skip();
	}
	/* the walk, the re-check, the pass over one process; none where nothing can be asked */
	assert_in_range(count("anon_inode:bpf-prog"), sentinel_report(s)->orders ? 0 : 1, 3);
	/* the ring and its alarms; runs with their members, rules, siblings and protected ports;
	 * what is tracked: sockets, holders, launchers; the files of a reference pass */
	assert_in_range(count("anon_inode:bpf-map"), 1, 11);
	assert_true(count("anon_inode:bpf_link") > 0);
	sentinel_free(s);
	assert_int_equal(count("anon_inode:bpf-prog"), 0);
	assert_int_equal(count("anon_inode:bpf-map"), 0);
	assert_int_equal(count("anon_inode:bpf_link"), 0);
}

TEST_MAIN(NULL, NULL)
