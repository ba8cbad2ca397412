/* SPDX-License-Identifier: MIT */
/*
 * The daemon's own pen in the audit trail: every entry is part of the open batch, is published to
 * watchers, and now and then the oldest entries go.
 */
#ifndef DAEMON_JOURNAL_H
#define DAEMON_JOURNAL_H

#include <stdint.h>

#include "registry/registry.h"

struct api;

struct journal {
	struct registry *registry; /* borrowed */
	struct api *api;	   /* borrowed */
	unsigned entries_since_prune;
	int64_t alive_marked; /* Unix seconds */
};

/* Writes the entry (its id is filled in); a failure is logged, there is nobody to return it to. */
void journal_write(struct journal *j, struct activity *entry);

/*
 * Counts an entry, whoever wrote it, and drops old ones once enough were added: to be called for
 * each (api_config.entry_written).
 */
void journal_count(struct journal *j, int64_t now);

/* Drops everything that is beyond the limits, as after a start with lower ones.  0, -errno. */
int journal_prune_all(struct journal *j, int64_t now);

/* An entry about the daemon itself. */
void journal_note(struct journal *j, enum activity_action action, const char *details, int64_t now);

#endif
