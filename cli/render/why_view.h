/* SPDX-License-Identifier: MIT */
/* The answer of `pd why` for people. */
#ifndef CLI_RENDER_WHY_VIEW_H
#define CLI_RENDER_WHY_VIEW_H

struct json_object;

/*
 * Adds to the holders what the caller can find out and the daemon has no use for: a directory that
 * the daemon may not read, "worktree" and "terminal" (why_surroundings.c).
 */
void why_add_surroundings(struct json_object *why);

/* Prints it; everything that is printed is in the answer. */
void why_view(struct json_object *why);

#endif
