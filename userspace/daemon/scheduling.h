/* SPDX-License-Identifier: MIT */
/* How soon the daemon gets the processor on a machine that is busy. */
#ifndef DAEMON_SCHEDULING_H
#define DAEMON_SCHEDULING_H

/*
 * Asks for what anybody may ask for: to be run in short slices, which the kernel (6.12 and newer)
 * grants the sooner the shorter they are, and where no terminal controls the process, for a session
 * of its own, which has its share of the processor beside that of whoever started it
 * (sched_autogroup).  Neither makes the daemon's part any larger.  What is refused stays as it is.
 */
void scheduling_ask(void);

#endif
