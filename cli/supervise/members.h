/* SPDX-License-Identifier: MIT */
/*
 * Runs and their members as pd sees them: the daemon says who belongs to which run, /proc, read
 * with the caller's own rights, what they are.
 */
#ifndef CLI_SUPERVISE_MEMBERS_H
#define CLI_SUPERVISE_MEMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/process.h"
#include "base/run.h"
#include "cli/client/client.h"

struct json_object;

struct member {
	struct process_id id;
	uint32_t run;
	pid_t ppid;
	char comm[PROCESS_COMM_SIZE];
	struct json_object *ports; /* borrowed from the answer; NULL = not known */
};

struct members {
	struct json_object *answer; /* of GET /v1/runs; NULL = no daemon was asked */
	struct member *list;	    /* in order of run and pid, each alive */
	size_t n;
	/* One that the daemon named and that had ended before it was looked at; its pid is 0 where
	 * there is none.  It may have left a child that nobody was named of. */
	struct member gone;
};

/*
 * Asks for the runs of a pattern of services, and of that run with those that were begun inside it,
 * where they are given (NULL, 0).
 * OUTCOME_OK, or the outcome with the error in *ret_error (the caller's).
 */
enum outcome members_ask(const char *pattern, uint32_t run, struct members *ret,
			 struct json_object **ret_error);

/* The same of one run, of a daemon that is there: none is started.  False where there is none. */
bool members_look(uint32_t run, struct members *ret);

/* What the answer says of a run (borrowed); NULL = it knows none of that number. */
struct json_object *members_run(const struct members *m, uint32_t run);

/*
 * Where the pd of a run (of the answer) was called, which may be another checkout of the project;
 * "" where that cannot be seen, or is the directory or below.  Returns ret.
 */
const char *members_begun_elsewhere(struct json_object *run, const char *directory,
				    char ret[static PROCESS_PATH_SIZE]);

/* The port that members of a run listen on while none does on the run's own; 0 = there is none. */
int members_elsewhere(const struct members *m, struct json_object *run);

/*
 * Adds whom /proc shows of a run and the daemon did not name: by their environment and by their
 * parents.  Costs a look at every process of the machine.  0, negative errno.
 */
int members_add_from_proc(struct members *m, uint32_t run);

/*
 * The member that serves on the port, as /proc shows it to the caller; NULL = none of them.  A
 * daemon that root has started without eBPF, and that has no capability any more, sees the socket
 * and not whose it is.
 */
const struct member *members_server(const struct members *m, uint16_t port);

/*
 * Tells the daemon of a run: its service, where that may be new to it (NULL), its state (NULL: as
 * it is), and, with `found`, who /proc shows of it, for a daemon that cannot look for itself.
 */
enum outcome members_tell(uint32_t run, const char *service, const char *state, bool found);

void members_deinit(struct members *m);

#endif
