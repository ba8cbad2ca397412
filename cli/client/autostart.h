/* SPDX-License-Identifier: MIT */
/* The start of a daemon: where a question finds none, and for `pd daemon`. */
#ifndef CLI_CLIENT_AUTOSTART_H
#define CLI_CLIENT_AUTOSTART_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/outcome.h"

struct peer;

struct autostart_request {
	const struct peer *instead_of; /* a daemon that was stopped for it; NULL = of none */
	bool restore;		       /* with the backup in the place of the database */
};

struct autostarted {
	pid_t pid;     /* 0 = somebody else's has come first, and answers */
	pid_t crashed; /* a daemon with eBPF that ended there without a word; 0 = none */
	char log[PATH_MAX + 32];
};

/*
 * Starts the daemon in the state directory of whom it will be: of the user of `instead_of`; where
 * that is NULL, by the daemon's own rule.  OUTCOME_OK once it
 * answers, else OUTCOME_NO_DAEMON with one sentence in ret_error.
 */
enum outcome autostart(const struct autostart_request *request, struct autostarted *ret,
		       char *ret_error, int size);

#endif
