/* SPDX-License-Identifier: MIT */
/* The ports that services have, or had last: which one a name gets again. */
#include <errno.h>

#include "base/cleanup.h"
#include "registry/internal.h"

int registry_port_remember(struct registry *r, const char *id, uint16_t port, uid_t uid,
			   int64_t now)
{
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_PORT_REMEMBER);

	query_bind_text(&q, 1, id);
	query_bind_int(&q, 2, port);
	query_bind_int(&q, 3, now);
	query_bind_int(&q, 4, uid);
	return query_run(&q);
}

void registry_ports_replace(struct registry *r, uint16_t port, uint16_t home, uint16_t new_port,
			    uint16_t new_home)
{
	const uint16_t gone[] = { port, home }, come[] = { new_port, new_home };

	for (size_t i = 0; i < ARRAY_SIZE(gone); i++)
		if (gone[i])
			portset_remove(&r->claimed, gone[i]);
	for (size_t i = 0; i < ARRAY_SIZE(come); i++) {
		if (!come[i])
			continue;
		portset_add(&r->claimed, come[i]);
		portset_add(&r->ever, come[i]);
	}
}

int registry_port_ever_claimed(struct registry *r, uint16_t port)
{
	int error = registry_ports_refresh(r);

	return error < 0 ? error : portset_has(&r->ever, port);
}

int registry_ports_prune(struct registry *r, int max_rows)
{
	const int64_t most = (int64_t)quota_limit(QUOTA_PORTS_KEPT)->machine;
	int64_t count;
	int error = query_count(r, STATEMENT_PORTS_COUNT, &count);

	if (error < 0 || count <= most)
		return error;
	error = registry_forget_fairly(r, STATEMENT_PORTS_OF_USERS, STATEMENT_PORTS_FORGET,
				       count - most < max_rows ? count - most : max_rows);
	return error < 0 ? error : 0;
}
