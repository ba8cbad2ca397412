/* SPDX-License-Identifier: MIT */
/*
 * SIGINT and SIGTERM as the way to end a command that otherwise goes on for ever.  Between begin
 * and end they end no process: they are let in only while something is waited for, so that none is
 * lost between the look and the sleep, and what came is remembered until the guard's end.
 */
#ifndef CLI_CLIENT_STOP_GUARD_H
#define CLI_CLIENT_STOP_GUARD_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

/* Guards may be nested: only the outermost one takes the signals and gives them back. */
void stop_guard_begin(void);

/* True when a signal has asked to stop since the outermost begin. */
bool stop_guard_end(void);

/* The same in between.  False where there is no guard. */
bool stop_guard_asked(void);

/* The signal mask of a wait, static storage; NULL (leave it as it is) where there is no guard. */
const sigset_t *stop_guard_mask(void);

/* Sleeps, within a guard.  False as soon as somebody has asked to stop. */
bool stop_guard_pause(int64_t seconds);

#endif
