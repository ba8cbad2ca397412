/* SPDX-License-Identifier: MIT */
#include "registry/errors.h"

#include <errno.h>

#include "base/cleanup.h"
#include "registry/internal.h"

static const struct {
	int rc, error;
} errno_of_rc[] = {
	{ SQLITE_FULL, -ENOSPC },	 { SQLITE_BUSY, -EBUSY },
	{ SQLITE_LOCKED, -EBUSY },	 { SQLITE_NOMEM, -ENOMEM },
	{ SQLITE_READONLY, -EROFS },	 { SQLITE_PERM, -EACCES },
	{ SQLITE_AUTH, -EACCES },	 { SQLITE_CORRUPT, -EUCLEAN },
	{ SQLITE_NOTADB, -EMEDIUMTYPE }, { SQLITE_TOOBIG, -E2BIG },
	{ SQLITE_CONSTRAINT, -EEXIST },	 { SQLITE_INTERRUPT, -EINTR },
	{ SQLITE_CANTOPEN, -EACCES },	 { SQLITE_IOERR, -EIO },
};

int errors_of_sqlite(int rc, int system_errno)
{
	int primary = rc & 0xff; /* the rest of an extended code says where, not what */

	if ((primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN) && system_errno > 0)
		return -system_errno;
	for (size_t i = 0; i < ARRAY_SIZE(errno_of_rc); i++)
		if (errno_of_rc[i].rc == primary)
			return errno_of_rc[i].error;
	return -EIO;
}

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
	int error = registry_fail(r, errors_of_sqlite(rc, sqlite3_system_errno(r->db)));

	if (sqlite3_get_autocommit(r->db))
		registry_batch_lose(r, error);
	return error;
}
