/* SPDX-License-Identifier: MIT */
/* What the name of a process's cgroup tells of whoever started it: systemd's unit, a container. */
#ifndef PROVENANCE_CGROUP_H
#define PROVENANCE_CGROUP_H

#include <stdbool.h>

#include "base/process.h"
#include "provenance/engine.h"

#define CGROUP_UNIT_SIZE 256 /* NAME_MAX and a NUL: a unit is a directory's name */

struct cgroup_owner {
	char unit[CGROUP_UNIT_SIZE]; /* "nginx.service"; "" = in none */
	bool of_user; /* the unit or container is one of a user's own manager or engine */
	uid_t uid;    /* of that user; PROCESS_UID_UNKNOWN = not known */
	char container[CONTAINER_ID_SIZE]; /* "" = in none */
	const char *engine; /* "docker", "podman", "crictl"; NULL without container */
};

/*
 * Reads ".../nginx.service", ".../docker-<64 hex>.scope", "/docker/<64 hex>", "libpod-<hex>.scope",
 * "cri-containerd-<hex>.scope".  A user's session (user@1000.service, a .scope of a terminal) is no
 * unit: stopping it would end far more than the process.
 */
void cgroup_parse(const char *path, struct cgroup_owner *ret);

#endif
