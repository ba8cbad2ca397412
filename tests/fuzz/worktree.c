/* SPDX-License-Identifier: MIT */
/* Git's files, as somebody's repository has them: what a directory is called by them. */
#include "fuzz/fuzz.h"

/* for what takes files that have been found */
#include "cli/project/project.c"

#include "base/identity.h"

static const char *const prefixes[] = { "", "gitdir: ", "ref: refs/heads/" };

int fuzz(const uint8_t *bytes, size_t size)
{
	char line[PATH_MAX], part[IDENTITY_PART_MAX + 1], joined[PATH_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
		int fd = fuzz_file(bytes, size);
		int r = read_line(fd, prefixes[i], line);

		close(fd);
		must(r == 0 || r == -EINVAL || r == -ENAMETOOLONG);
		if (r)
			continue;
		must(fuzz_ends(line, sizeof(line)) && !strpbrk(line, "\r\n"));
		identity_part_from(line, part);
		must(identity_check(part, NULL) == 0);
		repository_name(line, part);
		must(identity_check(part, NULL) == 0);
		r = join(joined, "/src/shop", line);
		must(r == -ENAMETOOLONG || *joined == '/');
	}
	return 0;
}
