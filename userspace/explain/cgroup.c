/* SPDX-License-Identifier: MIT */
#include "explain/cgroup.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/procfs.h"

#define CONTAINER_HEX 64 /* digits of a container's full id */

/* What stands before the id in the name of the container's cgroup.  "" is the bare id below a
 * directory named after the engine, as the cgroupfs driver makes it. */
static const struct {
	const char *prefix, *parent, *engine;
} schemes[] = {
	{ "docker-", NULL, "docker" },
	{ "libpod-", NULL, "podman" },
	{ "cri-containerd-", NULL, "crictl" },
	{ "crio-", NULL, "crictl" },
	{ "", "docker", "docker" },
	{ "", "libpod_parent", "podman" },
};

static bool is_container_id(const char *s)
{
	int n = 0;

	while (isxdigit((unsigned char)s[n]))
		n++;
	return n == CONTAINER_HEX;
}

static bool parse_container(const char *name, const char *parent, bool of_user,
			    struct cgroup_owner *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
		size_t skip = strlen(schemes[i].prefix);

		if (strncmp(name, schemes[i].prefix, skip) != 0 || !is_container_id(name + skip))
			continue;
		if (schemes[i].parent && strcmp(schemes[i].parent, parent) != 0)
			continue;
		snprintf(ret->container, sizeof(ret->container), "%.12s", name + skip);
		ret->engine = schemes[i].engine;
		ret->of_user = of_user;
		return true;
	}
	return false;
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n > m && !strcmp(s + n - m, end);
}

void cgroup_parse(const char *path, struct cgroup_owner *ret)
{
	char copy[4096], *save = NULL, *name;
	const char *parent = "";
	bool below_user = false;

	*ret = (struct cgroup_owner){ .engine = NULL };
	snprintf(copy, sizeof(copy), "%s", path);
	for (name = strtok_r(copy, "/", &save); name; name = strtok_r(NULL, "/", &save)) {
		parse_container(name, parent, below_user, ret);
		parent = name;
		if (!strncmp(name, "user@", 5)) {
			below_user = true;
		} else if (ends_with(name, ".service")) {
			snprintf(ret->unit, sizeof(ret->unit), "%s", name);
			ret->of_user = below_user;
		} else if (ends_with(name, ".scope")) {
			/* a scope inside a service's tree is not that service any more */
			ret->unit[0] = 0;
		}
	}
}

void cgroup_find(const struct process_id *id, struct cgroup_owner *ret)
{
	char path[PROCFS_CGROUP_SIZE];

	if (procfs_cgroup(id, path, sizeof(path)))
		path[0] = 0;
	cgroup_parse(path, ret);
}
