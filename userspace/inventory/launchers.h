/* SPDX-License-Identifier: MIT */
/*
 * Launchers: the ancestors that a process with sockets had in its own session when it was
 * described, such as the shell, npm and nodemon above a server.  Their exit is told as well, and is
 * written into the chain of everybody below them: once they are gone nothing else says who they
 * were, for a process that lost its parent is init's or a subreaper's.
 *
 * An ancestor of another session is none of them: who calls setsid() leaves its launcher on
 * purpose.
 */
#ifndef INVENTORY_LAUNCHERS_H
#define INVENTORY_LAUNCHERS_H

#include <stdint.h>

#include "inventory/table.h"

/*
 * Follows the launchers of a process that has rows, as its chain names them now; not any more those
 * that it named before.  A server that closes its socket may open the next one: they are followed
 * until it has ended, or is forgotten.  Without memory the process has none: nobody is told that it
 * was left behind.
 */
void launchers_follow(struct table *t, struct proc *proc);
void launchers_unfollow(struct table *t, struct proc *proc);

/* Has the kernel side report the exit of those who are new. */
void launchers_track(struct table *t);

/*
 * A process has ended, with what waitpid() reports: notes it with all that it launched, and the
 * change of their rows.
 */
void launchers_note_exit(struct table *t, const struct process_id *id, int exit_code, int64_t now);

/* An end that an earlier daemon saw: writes it into the chain of a process that has rows. */
void launchers_recall(struct table *t, struct proc *proc, const struct process_ancestor *launcher);

/* With the table, whose processes are gone by then. */
void launchers_free_all(struct table *t);

#endif
