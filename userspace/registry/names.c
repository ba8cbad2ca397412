/* SPDX-License-Identifier: MIT */
/* Whose a name is: what a user calls a service, what is stored, and what others are shown. */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/user.h"
#include "registry/internal.h"

/* Whose the row of an id is; PROCESS_UID_UNKNOWN where it cannot be read.  1, 0, negative errno. */
static int owner_of(struct registry *r, const char *id, uid_t *ret)
{
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_SERVICE_BY_ID);
	struct service_row row;
	int more;

	query_bind_text(&q, 1, id);
	more = query_next(&q);
	if (more <= 0)
		return more;
	*ret = service_row_decode(&q, &row) ? row.service.uid : PROCESS_UID_UNKNOWN;
	return 1;
}

/* The one of the user among those that are stored with one.  1, 0, negative errno. */
static int find_with_user(struct registry *r, const char *name, uid_t uid,
			  char ret[static IDENTITY_MAX + 1])
{
	_cleanup_(query_done) struct query q = query_start(r, STATEMENT_SERVICE_OF_NAME);
	char from[IDENTITY_MAX + 2], to[IDENTITY_MAX + 2];
	struct service_row row;
	int more;

	snprintf(from, sizeof(from), "%s@", name);
	snprintf(to, sizeof(to), "%s%c", name, '@' + 1);
	query_bind_text(&q, 1, from);
	query_bind_text(&q, 2, to);
	while ((more = query_next(&q)) > 0) {
		if (!service_row_decode(&q, &row) || row.service.uid != uid)
			continue;
		snprintf(ret, IDENTITY_MAX + 1, "%s", row.service.id);
		return 1;
	}
	return more;
}

int registry_own_id(struct registry *r, const char *name, uid_t uid,
		    char ret[static IDENTITY_MAX + 1])
{
	uid_t owner;
	int found = owner_of(r, name, &owner), own = 0;

	snprintf(ret, IDENTITY_MAX + 1, "%s", name);
	if (found < 0 || (found && (owner == uid || owner == PROCESS_UID_UNKNOWN)))
		return found;
	if (r->names_are_shared)
		own = find_with_user(r, name, uid, ret);
	if (own || !found)
		return own;
	snprintf(ret, IDENTITY_MAX + 1, "%s@%s", name, user_word(uid));
	found = owner_of(r, ret, &owner);
	if (found > 0) /* a user of that name before this one */
		snprintf(ret, IDENTITY_MAX + 1, "%s@%u", name, uid);
	return found < 0 ? found : 0;
}

int registry_meant_id(struct registry *r, const char *name, uid_t uid,
		      char ret[static IDENTITY_MAX + 1])
{
	const char *user = strchr(name, '@');
	char bare[IDENTITY_MAX + 1];
	uid_t owner;
	int found = registry_ports_refresh(r);

	if (found == 0 && !user)
		found = registry_own_id(r, name, uid, ret);
	else if (found == 0)
		found = owner_of(r, name, &owner);
	if (found < 0)
		return found;
	if (!user && found)
		return 0;
	snprintf(ret, IDENTITY_MAX + 1, "%s", name);
	if (!user || found)
		return 0;
	found = owner_of(r, identity_bare(name, bare), &owner);
	if (found > 0 && !strcmp(user_word(owner), user + 1))
		strcpy(ret, bare);
	return found < 0 ? found : 0;
}

const char *registry_shown_id(struct registry *r, const char *id, uid_t owner, uid_t viewer,
			      char ret[static IDENTITY_MAX + 1])
{
	char own[IDENTITY_MAX + 1];

	if (owner == viewer)
		return identity_bare(id, ret);
	snprintf(ret, IDENTITY_MAX + 1, "%s", id);
	if (r->names_are_shared && !strchr(id, '@') && find_with_user(r, id, viewer, own) > 0)
		snprintf(ret, IDENTITY_MAX + 1, "%s@%s", id, user_word(owner));
	return ret;
}
