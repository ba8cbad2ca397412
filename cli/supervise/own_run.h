/* SPDX-License-Identifier: MIT */
/*
 * The run that this process looks after: it is registered with the daemon before its command is
 * started, so that no first child is missed, and what the command leaves behind is found and ended.
 */
#ifndef CLI_SUPERVISE_OWN_RUN_H
#define CLI_SUPERVISE_OWN_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/supervise/members.h"

struct ending;

struct own_run {
	const char *service; /* borrowed */
	uint16_t port;	     /* that was claimed for it */
	uint32_t number;
	bool followed; /* by the kernel: else what clears its environment is lost */
};

/*
 * Registers this process as the pd of a new run of r->service, and fills in the rest but the port.
 * Forks nothing.  Without eBPF whoever loses its parent is left to this process from here on.  0,
 * or the exit code of what was said.
 */
int own_run_begin(struct own_run *r, bool json);

/* PORT, PORT_DADDY_ID, PORT_DADDY_URL, and the run's own mark, for the command that is started. */
void own_run_set_environment(const struct own_run *r);

/* The members that live, by a daemon that is there, else by /proc: none is started to say so.  0,
 * negative errno. */
int own_run_members(const struct own_run *r, struct members *ret);

/*
 * Ends them, as ending_run() does.  e has its grace and told(); its look() is set here.  To be
 * handed to ending_deinit() by the caller.
 */
int own_run_end_members(const struct own_run *r, struct ending *e);

#endif
