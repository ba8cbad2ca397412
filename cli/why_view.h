/* SPDX-License-Identifier: MIT */
/* The answer of `pd why` for people. */
#ifndef CLI_WHY_VIEW_H
#define CLI_WHY_VIEW_H

struct json_object;

void why_view(struct json_object *why);

#endif
