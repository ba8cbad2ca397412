/* SPDX-License-Identifier: MIT */
/* Tells the service manager how far we are (the sd_notify protocol: one datagram). */
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H

/* Sends `state` ("READY=1", "STOPPING=1", …) to $NOTIFY_SOCKET; does nothing where there is none.
 * 0, negative errno. */
int notify_manager(const char *state);

#endif
