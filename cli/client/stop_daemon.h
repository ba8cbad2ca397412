/* SPDX-License-Identifier: MIT */
/* The end of the daemon behind a socket. */
#ifndef CLI_CLIENT_STOP_DAEMON_H
#define CLI_CLIENT_STOP_DAEMON_H

#include "base/outcome.h"
#include "base/own_pd.h"
#include "cli/client/peer.h"

#define STOP_DAEMON_ERROR_SIZE (OWN_PD_SIZE + 320)

/*
 * Asks it to end, and waits until it has; one that `hangs`, as it has not answered before, is
 * killed then, and that is said on stderr.  OUTCOME_OK; OUTCOME_NOT_ALLOWED where it is another
 * user's, a service manager's or a container's; OUTCOME_FAILED.  One sentence in ret_error then,
 * which names the command that would do it: `pd daemon VERB` by whom it belongs to.
 */
enum outcome stop_daemon(struct peer *daemon, const char *verb, bool hangs,
			 char ret_error[STOP_DAEMON_ERROR_SIZE]);

#endif
