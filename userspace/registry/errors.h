/* SPDX-License-Identifier: MIT */
/* What an error of SQLite means, and what it does to the open batch.  Private to the room. */
#ifndef REGISTRY_ERRORS_H
#define REGISTRY_ERRORS_H

struct registry;

/* Counts an error that a caller is about to get from here, and remembers it; returns it. */
int registry_fail(struct registry *r, int error);

/* The errno of a failed SQLite call; notices a batch that SQLite undid. */
int registry_error(struct registry *r, int rc);

/* A change that could be undone neither alone nor by hand: everything since begin will be. */
void registry_batch_lose(struct registry *r, int error);

/* What was undone may have been kept in memory: it is read anew when it is needed. */
void registry_forget_cached(struct registry *r);

#endif
