/* SPDX-License-Identifier: MIT */
/*
 * Who holds a socket, as JSON.
 *
 * The privacy rule: what a process was told (command line) and where it works (cwd, exe) is shown
 * to root and to the process's own user; pid, name and user are everybody's to see, as in ps.
 */
#ifndef VIEW_HOLDER_H
#define VIEW_HOLDER_H

#include <sys/types.h>

struct json_object;
struct why_holder;

/* A holder as `why` shows it; owned by the caller. */
struct json_object *view_holder(const struct why_holder *h, uid_t viewer);

#endif
