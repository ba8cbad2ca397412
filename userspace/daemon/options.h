/* SPDX-License-Identifier: MIT */
/* The daemon's command line.  Everything else it needs comes from the environment (base/paths.h);
 * a daemon that pd starts by itself gets no options, so the log's limits have variables, too. */
#ifndef DAEMON_OPTIONS_H
#define DAEMON_OPTIONS_H

#include <stdbool.h>

#include "registry/registry.h"
#include "sentinel/sentinel.h"

struct options {
	bool service;		    /* --system: state and socket of the system service */
	enum sentinel_trace trace;  /* --trace WAY, or --no-bpf: use the polling backend */
	bool no_sandbox;	    /* --no-sandbox: see daemon/sandbox.h */
	bool debug;		    /* --debug */
	bool restore;		    /* --restore: begin with the backup of the database */
	struct activity_limits log; /* --log-keep, --log-rows, or their variables */
	const char *user; /* --user NAME: become this user after the start; borrowed from argv */
};

/*
 * Reads argv.  0; -1 when the daemon shall exit at once with *ret_exit_code (help and version were
 * printed, or the command line is wrong and one line on stderr says why).
 */
int options_parse(int argc, char **argv, struct options *ret, int *ret_exit_code);

#endif
