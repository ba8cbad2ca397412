/* SPDX-License-Identifier: MIT */
/* How the daemon is, as JSON: pd status. */
#ifndef VIEW_STATUS_H
#define VIEW_STATUS_H

#include <stdint.h>

struct inventory;
struct json_object;
struct locks;
struct metrics;
struct protection;
struct registry;
struct sandbox_report;
struct sentinel;

/* Of whom it is told; all of it is borrowed. */
struct status_of {
	struct registry *registry;
	struct inventory *inventory;
	struct sentinel *sentinel;
	struct locks *locks;
	struct protection *protection;
	const struct sandbox_report *sandbox;
	const struct metrics *metrics;
	const char *database_path, *socket_path;
	int64_t started_at, booted_at, now; /* Unix seconds */
};

/* Adds a member for each part.  One that cannot be told says so, and hides none of the others. */
void status_add(const struct status_of *of, struct json_object *answer);

#endif
