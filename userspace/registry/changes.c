/* SPDX-License-Identifier: MIT */
/* Whether other programs have written into the file. */
#include <errno.h>

#include "base/cleanup.h"
#include "registry/internal.h"

int registry_data_version(struct registry *r, int64_t *ret)
{
	return query_count(r, STATEMENT_DATA_VERSION, ret);
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
