/* SPDX-License-Identifier: MIT */
/*
 * Sockets, processes and their holders as JSON.
 *
 * The privacy rule: what a process was told (command line) and where it works (cwd, exe) is shown
 * to root and to the process's own user; pid, name and user are everybody's to see, as in ps.
 */
#ifndef VIEW_VIEW_H
#define VIEW_VIEW_H

#include <stddef.h>
#include <stdint.h>

#include "base/user.h"
#include "explain/holder.h"
#include "http/json.h"
#include "inventory/inventory.h"

/* A socket's own members, those that a line about it shows first. */
struct json_object *view_socket(const struct inventory *inv, const struct socket_row *row);
/* A holder as `why` shows it. */
struct json_object *view_holder(const struct why_holder *h, uid_t viewer);
/* [pid, …] */
struct json_object *view_pids(const struct holding *holdings, size_t n);
int64_t view_pid_of_holding(const void *holdings, size_t i); /* for written_ints() */

#endif
