/* SPDX-License-Identifier: MIT */
/*
 * Releases a user's claims that nothing has touched for longer than an age.  The sockets are looked
 * at now: what has one on its port, whoever holds it, stays, whatever its row says.
 */
#ifndef TRACKER_CLEANUP_H
#define TRACKER_CLEANUP_H

#include "base/identity.h"
#include "registry/registry.h"
#include "tracker/release.h"

struct tracker;

struct cleanup {
	int64_t older_than_s;
	bool stale, dry_run; /* stale: also what has that status, however young */
	const char *project; /* only claims of this one; NULL = of all */
	struct release_actor actor;
	int64_t now; /* Unix seconds */
	/* Called before each release, or instead of it in a dry run.  0, or what to fail with. */
	int (*due)(const struct service *s, enum service_status status, int64_t age_s,
		   void *user_data);
	void *user_data;

	char last[IDENTITY_MAX + 1]; /* that was looked at; "" = none yet */

	/* What came of it. */
	size_t n_due;
	int64_t younger, youngest_s; /* stale ones that are left */
	int64_t in_use, others;	     /* old enough, and left for another reason */
};

/*
 * Looks at some of the claims behind the last one, in order of id, and says whether there are more.
 * 0, negative errno, or what `due` failed with.
 */
int cleanup_next(struct tracker *t, struct cleanup *c, bool *ret_more);

/* Behind the last: writes down who cleaned up, and by which rule.  0, negative errno. */
int cleanup_end(struct tracker *t, const struct cleanup *c);

#endif
