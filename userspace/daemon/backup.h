/* SPDX-License-Identifier: MIT */
/* Has the registry make its backup, a few pages at a time, whenever it says that it is time. */
#ifndef DAEMON_BACKUP_H
#define DAEMON_BACKUP_H

struct backup;
struct event_base;
struct registry;

/* Both are borrowed and outlive it.  0, -ENOMEM. */
int backup_new(struct event_base *loop, struct registry *registry, struct backup **ret);
/* NULL is allowed. */
void backup_free(struct backup *b);

#endif
