/* SPDX-License-Identifier: MIT */
/*
 * A process behind a port, with everything that is told of it and of whoever stands behind it: a
 * service manager or a program that starts it again when it ends, or the container engine for which
 * it passes the port on.  Killing such a process gains a second, or cuts a container off; the one
 * behind it has to be asked.  Supervisors are recognized by names and arguments in /proc: that is a
 * hint and never decides a verdict.
 */
#ifndef EXPLAIN_HOLDER_H
#define EXPLAIN_HOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/net.h"
#include "base/process.h"
#include "base/user.h"
#include "inventory/inventory.h"

/* --- its cgroup --- */

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

/* --- its supervisor, its container engine --- */

#define WHY_SUPERVISOR_TEXT 192

struct why_supervisor {
	const char *name; /* "pm2", "a shell loop"; static */
	struct process_id id;
	bool ends_it;	    /* ended itself, it does not start anything again */
	const char *remark; /* where it does more than to start again; "" = nothing */
	char command[WHY_SUPERVISOR_TEXT]; /* that stops or lists what it runs; "" = none */
};

/* True when an ancestor near `process` will start it again. */
bool why_supervisor_find(const struct process *process, struct why_supervisor *ret);

struct why_forward {
	const char *engine; /* "docker", "podman" */
	bool lists_by_port; /* its ps has --filter publish=PORT */
	uint8_t family;	    /* of addr; 0 = the command line does not tell where it goes */
	struct net_addr addr;
	uint16_t port;
};

/* True when the process has the port for a container: docker-proxy, rootlessport, conmon, … */
bool why_forward_find(const struct process *process, struct why_forward *ret);

/* Reads "-container-ip A … -container-port N" of a command line; false where it is not there. */
bool why_forward_parse(const char *cmdline, struct why_forward *ret);

/* --- all of it --- */

#define WHY_ENDED_MAX 8 /* processes in one command; more pids than that nobody checks */

struct why_holder {
	struct holding holding;
	bool known;		   /* false: it is gone, and nothing but its id is in `process` */
	struct process process;	   /* its comm is the name for people */
	char user[USER_NAME_SIZE]; /* "" = not known */
	char *cmdline;		   /* owned; NULL where the viewer may not see it */
	char state;		   /* as procfs_state() */
	struct cgroup_owner cgroup;

	/* what why_holder_read_backing() adds */
	bool forwards, supervised;
	struct why_forward forward;
	struct why_supervisor supervisor;
	bool runs_engine; /* the viewer may command the engine of `cgroup` or `forward` as is */
	char *freezer; /* owned: the file that thaws its cgroup; NULL = not frozen, or not read */
	const char *thaw; /* what is written there */
};

/* Describes the process; `ret` is zeroed or was deinitialised.  0, -ENOMEM. */
int why_holder_read(const struct inventory *inv, const struct holding *holding, uid_t viewer,
		    struct why_holder *ret);

/*
 * Adds who stands behind it.  `first`: it is the one that sentences speak of.  *n_ended counts
 * those that the viewer may end: beyond WHY_ENDED_MAX of them nobody asks whether one is frozen.
 */
void why_holder_read_backing(struct why_holder *h, uid_t viewer, bool first, unsigned *n_ended);

void why_holder_deinit(struct why_holder *h);

#endif
