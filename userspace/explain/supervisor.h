/* SPDX-License-Identifier: MIT */
/*
 * Who stands behind a process that holds a port: a program that starts it again when it ends, or
 * the container engine for which it passes the port on.  Killing such a process gains a second, or
 * cuts a container off; the one behind it has to be asked.  Recognized by names and arguments in
 * /proc, so it is a hint and never decides a verdict.
 */
#ifndef EXPLAIN_SUPERVISOR_H
#define EXPLAIN_SUPERVISOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/net.h"
#include "base/process.h"

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

#endif
