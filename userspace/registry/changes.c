/* SPDX-License-Identifier: MIT */
/* Whether other programs have written into the file. */
#include <errno.h>

#include "base/cleanup.h"
#include "registry/internal.h"

int registry_data_version(struct registry *r, int64_t *ret)
{
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_DATA_VERSION);
	int more = query_next(&q);

	if (more <= 0)
		return more < 0 ? more : -EIO;
	*ret = query_column_int(&q, 0, INT64_MIN, INT64_MAX, 0);
	return 0;
}

bool registry_changed_by_others(struct registry *r)
{
	int64_t version;

	/* what cannot be read may have changed */
	if (registry_data_version(r, &version) < 0)
		return true;
	if (version == r->reported_version)
		return false;
	r->reported_version = version;
	return true;
}
