/* SPDX-License-Identifier: MIT */
/*
 * The identity of a directory, for commands that were given none.
 *
 * It is the directory's name.  In a linked git worktree the branch becomes the context, so that
 * two checkouts of one repository get two ports: NAME:dev:BRANCH.  NAME is then what the same
 * directory is called in the main worktree; where HEAD is detached, git's name of the worktree
 * stands for the branch.
 *
 * A ".git" counts only where trust.h believes it.
 */
#ifndef CLI_PROJECT_PROJECT_H
#define CLI_PROJECT_PROJECT_H

#include <limits.h>

#include "base/identity.h"

/* The middle part of an identity whose context is a branch, where no stack is known. */
#define PROJECT_STACK "dev"

/*
 * The identity of an absolute path.  0; a negative errno when git's
 * files around it cannot be read.  Always a legal identity.
 */
int project_identity(const char *directory, char ret[static IDENTITY_MAX + 1]);

/* The same in parts: NAME, and the branch in a linked worktree, else "". */
int project_parts(const char *directory, char ret_name[static IDENTITY_PART_MAX + 1],
		  char ret_context[static IDENTITY_PART_MAX + 1]);

/*
 * The top of the working tree that a directory lies in: the nearest one at or above it that has a
 * ".git"; the directory itself where there is none.  0, -ENAMETOOLONG.
 */
int project_top(const char *directory, char ret[static PATH_MAX]);

#endif
