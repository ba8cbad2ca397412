/* SPDX-License-Identifier: MIT */
/* A stored explanation of a refusal, brought up to date for whoever reads it now. */
#ifndef API_WHY_SINCE_H
#define API_WHY_SINCE_H

#include "base/process.h"
#include "http/json.h"

struct request;

/*
 * Adds `since` to the why object of a refusal (borrowed) by `caller`, whose start is 0 when that
 * was before this boot, and puts remedies in it that hold now.  Of a refusal that no socket made
 * nothing changes.  0, negative errno.
 */
int why_add_since(struct request *r, const struct process_id *caller, struct json_object *o);

#endif
