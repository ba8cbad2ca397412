/* SPDX-License-Identifier: MIT */
/* What a cgroup's path says of a process: its systemd unit, its container. */
#ifndef EXPLAIN_CGROUP_H
#define EXPLAIN_CGROUP_H

#include <stdbool.h>

#include "base/process.h"

#define CGROUP_UNIT_SIZE      256 /* NAME_MAX and a NUL: a unit is a directory's name */
#define CGROUP_CONTAINER_SIZE 13  /* the short form, 12 digits, that docker and podman print */

struct cgroup_owner {
	char unit[CGROUP_UNIT_SIZE]; /* "nginx.service"; "" = in none */
	bool of_user; /* the unit or container is one of a user's own manager or engine */
	char container[CGROUP_CONTAINER_SIZE]; /* "" = in none */
	const char *engine; /* "docker", "podman", "crictl"; NULL without container */
};

/*
 * Reads ".../nginx.service", ".../docker-<64 hex>.scope", "/docker/<64 hex>", "libpod-<hex>.scope",
 * "cri-containerd-<hex>.scope".  A user's session (user@1000.service, a .scope of a terminal) is no
 * unit: stopping it would end far more than the process.
 */
void cgroup_parse(const char *path, struct cgroup_owner *ret);

/* The same of the cgroup that a process is in; nothing of one that is gone. */
void cgroup_find(const struct process_id *id, struct cgroup_owner *ret);

#endif
