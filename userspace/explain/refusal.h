/* SPDX-License-Identifier: MIT */
/*
 * A refused bind() or listen(): its evidence, taken at its moment, and its explanation, made when
 * there is time.  The holders may be gone by then; what the evidence lacks is looked up only where
 * the same sockets are still there.
 */
#ifndef EXPLAIN_REFUSAL_H
#define EXPLAIN_REFUSAL_H

#include <stddef.h>
#include <stdint.h>

#include "base/event.h"

struct inventory;
struct refusal;

/*
 * Keeps what the event (EVENT_FAIL) carries, and what the table knows of the owners of the port and
 * of the processes behind them.  Cheap: to be called while events are read.  `service` owns the
 * port, or NULL.  Everything is copied.  0, negative errno.
 */
int refusal_new(const struct inventory *inv, const struct event *event, const char *service,
		int64_t at_unix, struct refusal **ret);
/* NULL is allowed. */
void refusal_free(struct refusal *refusal);

/* What it occupies. */
size_t refusal_bytes(const struct refusal *refusal);
const struct event *refusal_event(const struct refusal *refusal);
int64_t refusal_at(const struct refusal *refusal);
/* NULL = nobody claimed the port. */
const char *refusal_service(const struct refusal *refusal);

#endif
