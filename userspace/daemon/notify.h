/* SPDX-License-Identifier: MIT */
/*
 * What a service manager is told, and what it hands over: the protocols of sd_notify(3) and
 * sd_listen_fds(3), a datagram and a descriptor.
 */
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H

struct event_base;
struct event;

/* Sends `state` ("READY=1", "STOPPING=1", …) to $NOTIFY_SOCKET; does nothing where there is none.
 * 0, negative errno. */
int notify_manager(const char *state);

/*
 * Where the manager watches this process ($WATCHDOG_USEC), tells it twice in that time that the
 * loop turns.  NULL in *ret where it does not; the caller's: event_free().  0, negative errno.
 */
int notify_watchdog_new(struct event_base *loop, struct event **ret);

/*
 * The socket that the manager listens on for us, and which it handed to this process; -1 where
 * there is none.  It is the caller's, and given once.
 */
int notify_take_socket(void);

#endif
