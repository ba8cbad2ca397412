/* SPDX-License-Identifier: MIT */
/* The copy that the registry keeps of itself.  Private to the room. */
#ifndef REGISTRY_BACKUP_H
#define REGISTRY_BACKUP_H

#include <stdbool.h>
#include <stddef.h>

struct registry;

bool registry_has_backup(const char *path);

/* A copy that is being made is given up; the last whole one stays. */
void registry_backup_abandon(struct registry *r);

/* The sentence of a registry that refuses: what is wrong (`fault`), and the command that goes back
 * to the backup, with its age; where there is none, what is left to do. */
void registry_backup_words(const char *path, const char *fault, char *ret, size_t size);

#endif
