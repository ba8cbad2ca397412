/* SPDX-License-Identifier: MIT */
/* What the path of a cgroup says of a process; users make and name cgroups of their own. */
#include "provenance/cgroup.h"

#include "fuzz/fuzz.h"

int fuzz(const uint8_t *bytes, size_t size)
{
	_cleanup_free_ char *path = fuzz_text(bytes, size);
	struct cgroup_owner owner;

	memset(&owner, 'x', sizeof(owner));
	cgroup_parse(path, &owner);
	must(fuzz_ends(owner.unit, sizeof(owner.unit)) && !strchr(owner.unit, '/'));
	must(fuzz_ends(owner.container, sizeof(owner.container)));
	/* it goes into a command that somebody may run */
	must(strspn(owner.container, "0123456789abcdefABCDEF") == strlen(owner.container));
	must(!*owner.container == !owner.engine);
	return 0;
}
