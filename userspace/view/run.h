/* SPDX-License-Identifier: MIT */
/* Runs and their members: pd ps, and what of them pd why shows. */
#ifndef VIEW_RUN_H
#define VIEW_RUN_H

#include <stdint.h>

struct hardcoded_port;
struct inventory;
struct json_object;
struct protection;
struct run;
struct run_member;
struct written;

/* `shown_id`: its service as the viewer calls it.  Owned by the caller. */
struct json_object *view_run(const struct run *run, const struct protection *protection,
			     const char *shown_id);

/* A member with the ports that it serves.  0, -ENOMEM. */
int view_run_member(struct written *w, const struct inventory *inv, const struct run_member *m);

/* A run whose program has another port in its source; owned by the caller. */
struct json_object *view_hardcoded_port(const struct hardcoded_port *h);

#endif
