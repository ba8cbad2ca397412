/* SPDX-License-Identifier: MIT */
/* One line for an entry of the activity, as `pd log` and `pd watch` print it. */
#ifndef CLI_RENDER_ENTRY_VIEW_H
#define CLI_RENDER_ENTRY_VIEW_H

#include <stdbool.h>
#include <stdint.h>

struct json_object;

#define ENTRY_VIEW_WIDTH     17 /* of the column of services, at least */
#define ENTRY_VIEW_WIDTH_MAX 40 /* a longer name pushes its own details only */

/* "[2:47:23] CLAIM   myapp:web         Port 3101 assigned"; with `who` also " (by erich: pd 4711)".
 */
void entry_view(struct json_object *entry, int service_width, bool who);

/* What such a line begins with, up to its details.  Returns the column where it ends. */
int entry_view_head(int64_t at_unix_s, const char *action, const char *service, int service_width);

#endif
