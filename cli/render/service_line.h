/* SPDX-License-Identifier: MIT */
/*
 * A line that a service wrote, behind its name: padded, and in a colour that is the name's own
 * wherever it is shown.  The line itself passes as it is, with the colours that it has.
 */
#ifndef CLI_RENDER_SERVICE_LINE_H
#define CLI_RENDER_SERVICE_LINE_H

#include <stddef.h>

#include "base/identity.h"

#define SERVICE_LINE_EXTRA (IDENTITY_PART_MAX + 48) /* bytes that it is longer than the line */

/* Into ret, which has n + SERVICE_LINE_EXTRA bytes; its length, with the newline. */
size_t service_line(const char *name, int width, const char *line, size_t n, char *ret);

#endif
