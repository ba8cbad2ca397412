/* SPDX-License-Identifier: MIT */
#include "registry/errors.h"

#include <errno.h>

#include "database/words.h"
#include "registry/internal.h"

void registry_forget_cached(struct registry *r)
{
	r->ports_loaded = false;
	r->sums_checked = false;
	r->log.loaded = false;
}

void registry_batch_lose(struct registry *r, int error)
{
	if (r->batch != BATCH_OPEN)
		return;
	r->batch = BATCH_LOST;
	r->batch_error = error;
	registry_forget_cached(r);
}

int registry_fail(struct registry *r, int error)
{
	r->counters.errors++;
	r->last_error = error;
	r->damaged = r->damaged || (error == -EUCLEAN && !*r->refused);
	return error;
}

int registry_error(struct registry *r, int rc)
{
	int error = registry_fail(r, words_errno_of_sqlite(rc, sqlite3_system_errno(r->db)));

	if (sqlite3_get_autocommit(r->db))
		registry_batch_lose(r, error);
	return error;
}
