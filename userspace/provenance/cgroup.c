/* SPDX-License-Identifier: MIT */
#include "provenance/cgroup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

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

static bool parse_container(const char *name, const char *parent, bool of_user,
			    struct cgroup_owner *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
		size_t skip = strlen(schemes[i].prefix);

		if (strncmp(name, schemes[i].prefix, skip) != 0 ||
		    !engine_is_container_id(name + skip))
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

void cgroup_parse(const char *path, struct cgroup_owner *ret)
{
	char copy[4096], *save = NULL, *name;
	const char *parent = "";
	bool below_user = false;

	*ret = (struct cgroup_owner){ .uid = PROCESS_UID_UNKNOWN };
	snprintf(copy, sizeof(copy), "%s", path);
	for (name = strtok_r(copy, "/", &save); name; name = strtok_r(NULL, "/", &save)) {
		parse_container(name, parent, below_user, ret);
		parent = name;
		if (!strncmp(name, "user@", 5)) {
			below_user = true;
			ret->uid = (uid_t)strtoul(name + 5, NULL, 10);
		} else if (text_ends_with(name, ".service")) {
			snprintf(ret->unit, sizeof(ret->unit), "%s", name);
			ret->of_user = below_user;
		} else if (text_ends_with(name, ".scope")) {
			/* a scope inside a service's tree is not that service any more */
			ret->unit[0] = 0;
		}
	}
}
