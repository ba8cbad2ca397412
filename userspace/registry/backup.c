/* SPDX-License-Identifier: MIT */
/* When the registry copies itself. */
#include "base/cleanup.h"
#include "registry/internal.h"

#define STEP_MS	  20	 /* 1.6 MB a second: nobody notices */
#define LOOK_MS	  600000 /* whether the next one is due */
#define SETTLE_MS 5000	 /* the disk writes it meanwhile: a sync of all would hold the loop */

static int copy_some(struct registry *r)
{
	/* what is not committed yet is no part of it */
	if (r->batch != BATCH_NONE || r->reading)
		return STEP_MS;
	if (backup_copy_some(r->backup) < 0) {
		backup_abandon(TAKE_PTR(r->backup)); /* a full disk: later */
		return LOOK_MS;
	}
	return backup_is_copied(r->backup) ? SETTLE_MS : STEP_MS;
}

int registry_backup_step(struct registry *r)
{
	if (*r->refused || r->damaged)
		return LOOK_MS;
	if (!r->backup) {
		if (backup_is_due(r->path))
			r->backup = backup_begin(r->path, r->db);
		return r->backup ? STEP_MS : LOOK_MS;
	}
	if (!backup_is_copied(r->backup))
		return copy_some(r);
	/* the original may have turned out to be damaged meanwhile */
	if (r->checked.error)
		backup_abandon(TAKE_PTR(r->backup));
	else
		backup_finish(TAKE_PTR(r->backup));
	return LOOK_MS;
}
