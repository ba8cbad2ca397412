/* SPDX-License-Identifier: MIT */
/*
 * A process behind a port, with everything that is told of it and of whoever stands behind it: a
 * service manager or a program that starts it again when it ends, or the container engine for which
 * it passes the port on (supervisor.h, engine.h); and what else would be hit if it were ended.
 */
#ifndef EXPLAIN_HOLDER_H
#define EXPLAIN_HOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/identity.h"
#include "base/process.h"
#include "base/user.h"
#include "inventory/inventory.h"
#include "provenance/cgroup.h"
#include "provenance/engine.h"
#include "provenance/program.h"
#include "provenance/supervisor.h"
#include "provenance/tunnel.h"

/* --- what else it serves --- */

#define WHY_HIT_PORTS_MAX 8 /* of one process; more of them are only said to be there */
#define WHY_HITS_MAX	  4 /* processes likewise */

struct why_hit {
	pid_t pid;
	char comm[PROCESS_COMM_SIZE];
	uint16_t ports[WHY_HIT_PORTS_MAX];
	size_t n_ports;
	bool more_ports;
};

/* What a command ends beside what it is for: processes with the ports that they serve. */
struct why_hits {
	struct why_hit list[WHY_HITS_MAX];
	size_t n;
	bool more;
};

/* Adds those of `from` that are not there yet. */
void why_hits_add(struct why_hits *hits, const struct why_hits *from);

/* --- all of it --- */

#define WHY_ENDED_MAX 8 /* processes in one command; more pids than that nobody checks */

/* For whom a holder is described. */
struct why_reader {
	const struct inventory *inv;
	const struct registry *registry; /* of runs */
	const struct kernel_source *kernel;
	uid_t viewer;
	uint32_t netns;
	uint16_t port;
	const struct lineage *lineage; /* NULL = no events are known */
	struct ancestry asker;	       /* n 0: a refusal of the past, whose process asks nothing */
};

struct why_holder {
	struct holding holding;
	bool known;		   /* false: it is gone, and nothing but its id is in `process` */
	struct process process;	   /* its comm is the name for people */
	char user[USER_NAME_SIZE]; /* "" = not known */
	char *cmdline;		   /* owned; NULL where the viewer may not see it */
	char state;		   /* as procfs_state() */
	struct cgroup_owner cgroup;

	/* what why_holder_read_backing() adds */
	char runs[PROGRAM_RUNS_SIZE]; /* of an interpreter, where the viewer may see it; else "" */
	/* the same of process.ancestors, for the first holder */
	char ancestors_run[PROCESS_ANCESTORS_MAX][PROGRAM_RUNS_SIZE];
	bool ended; /* nothing of it runs any more */
	bool forwards, supervised;
	struct engine_forward forward;
	struct supervisor supervisor;
	char supervisor_comm[PROCESS_COMM_SIZE];
	struct tunnel tunnel;
	/* the service whose run it is ended with, for it is the viewer's own; "" = it is not */
	char run_of[IDENTITY_MAX + 1];
	/* who asks runs below it, or below its supervisor: ended, it takes the asker along */
	bool carries_asker, supervisor_carries_asker;
	bool ignores_term, catches_term; /* SIGTERM */
	struct why_hits hits;		 /* when it is ended, by whom it has to be */
	bool started_by_viewer;		 /* who runs it as root, by sudo */
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
void why_holder_read_backing(struct why_holder *h, const struct why_reader *reader, bool first,
			     unsigned *n_ended);

void why_holder_deinit(struct why_holder *h);

#endif
