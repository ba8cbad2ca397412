/* SPDX-License-Identifier: MIT */
/*
 * A user's own daemon beside the system service: pd asks the service, so whatever is claimed at
 * one's own is out of sight.
 */
#ifndef CLI_CLIENT_HANDOVER_H
#define CLI_CLIENT_HANDOVER_H

/*
 * Where both answer, claims at the service what the caller's own daemon has for him, on the same
 * ports where they are free there, and ends his own; says so in one line on stderr.  Its database
 * stays as it is.  While it keeps locks or follows runs, or where a claim fails, both go on, which
 * is said with the way out: what the service has by then it is given again the next time.
 */
void handover(void);

#endif
