/* SPDX-License-Identifier: MIT */
/* Runs and their members: pd ps, and what of them pd why shows. */
#ifndef VIEW_RUN_H
#define VIEW_RUN_H

#include <stdint.h>

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

/* A run whose program has the port `asked` in its source, and is given `port` instead; owned by the
 * caller. */
struct json_object *view_run_of_port(const struct run *run, uint16_t asked, uint16_t port,
				     const char *shown_id);

#endif
