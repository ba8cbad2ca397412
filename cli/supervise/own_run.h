/* SPDX-License-Identifier: MIT */
/*
 * The run that this process looks after: it is registered with the daemon before its command is
 * started, so that no first child is missed, and what the command leaves behind is found and ended.
 */
#ifndef CLI_SUPERVISE_OWN_RUN_H
#define CLI_SUPERVISE_OWN_RUN_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/run.h"
#include "cli/supervise/members.h"

#define OWN_RUN_REFUSALS_TOLD 16
/*
 * A server that only tries whether the port is free, as vite does, has closed it again by then; and
 * one that clears the terminal once it listens has done so.
 */
#define OWN_RUN_TRIAL_MS 100

struct config_start;
struct ending;
struct json_object;

struct own_run {
	const char *service; /* borrowed */
	uint16_t port;	     /* that was claimed for it */
	/*
	 * Ports that stand in the source of its program, and, from own_run_begin() on, what the
	 * kernel gives it instead: the first one the run's own, each other one that of a claim
	 * beside it.  Runs of one directory reach each other by them; "" = only itself.
	 */
	size_t n_hardcoded;
	struct run_hardcoded hardcoded[RUN_HARDCODED_MAX];
	char project[PATH_MAX];
	bool transparent; /* its program is to be told them, and not what it has instead */
	bool rewritten;	  /* false: by this kernel they are not */
	bool named;	  /* it is told them */
	uint32_t number;
	bool followed; /* by the kernel: else what clears its environment is lost */
	bool of_file;  /* .portdaddyrc says how it is started, no command line */

	uint16_t refused[OWN_RUN_REFUSALS_TOLD]; /* ports that members were told to be refused */
	size_t n_refused;
};

/*
 * A run that is to begin: of a service (borrowed) on the port that was claimed for it, with the
 * hard-coded ports that its file names (NULL = none does), in the project of a directory, "" = in
 * none.
 */
void own_run_init(struct own_run *r, const char *service, uint16_t port,
		  const struct config_start *start, const char *project);

/*
 * Registers this process as the pd of a new run of r->service, and fills in the rest: service,
 * port, project and what is asked for are the caller's.  Forks nothing.  Without eBPF whoever loses
 * its parent is left to this process from here on.  0, or the exit code of what was said.
 */
int own_run_begin(struct own_run *r, bool json);

/* What to say where its hard-coded ports, or what it is told of them, stay as they are, once it has
 * begun; false = nothing. */
#define OWN_RUN_WORDS_SIZE 640
bool own_run_explain_unrewritten(const struct own_run *r, char ret[static OWN_RUN_WORDS_SIZE]);

/* PORT, PORT_DADDY_ID, PORT_DADDY_URL, and the run's own mark, for the command that is started. */
void own_run_set_environment(const struct own_run *r);

/* The members that live, by a daemon that is there, else by /proc: none is started to say so.  0,
 * negative errno. */
int own_run_members(const struct own_run *r, struct members *ret);

/* Names them to who ends them: the look() of an ending.  0, negative errno. */
int own_run_look(const struct own_run *r, struct ending *e);

/* "3000→5742, " where its program has asked for 3000, and got this port; else "".  Returns ret. */
#define OWN_RUN_ASKED_SIZE 32
const char *own_run_asked_for(const struct own_run *r, uint16_t port,
			      char ret[static OWN_RUN_ASKED_SIZE]);

/* What makes its own port of one that its program has chosen: "--hardcoded 3000".  Returns ret. */
#define OWN_RUN_WAY_SIZE 64
const char *own_run_way(const struct own_run *r, uint16_t port, char ret[static OWN_RUN_WAY_SIZE]);

/*
 * What to say of a FAIL event of a member: by whom it was refused, and the way out.  False where
 * that port was told of already.
 */
bool own_run_explain_refusal(struct own_run *r, struct json_object *event,
			     char ret[static OWN_RUN_WORDS_SIZE]);

#endif
