/* SPDX-License-Identifier: MIT */
/*
 * Services by the names that whoever asks has for them: what a release or a health check is about
 * (one id, a pattern, or the one of a port), and how ids are shown.
 */
#ifndef API_MATCH_H
#define API_MATCH_H

#include "http/param.h"
#include "registry/registry.h"

struct match {
	char id[IDENTITY_MAX + 1]; /* of the caller's own, where that is not as given */
	const char *text;	   /* as it was given; NULL = all */
	bool many;		   /* a pattern */
	struct service_filter filter;
};

/* Reads a struct match. */
#define PARAM_MATCH(key, type, member, ...) \
	PARAM_ROW(key, match_read, type, member, struct match, ##__VA_ARGS__)
param_read match_read;

/*
 * In the place of a name: the id that it means to whoever asks, which is kept in `id`; a pattern
 * with wildcards stays.  0, negative errno.
 */
int match_meant(struct request *r, const char **name, char id[static IDENTITY_MAX + 1]);

/* An id as whoever asks is shown it (registry_shown_id).  Returns ret, or id. */
const char *match_shown_id(struct request *r, const char *id, uid_t owner,
			   char ret[static IDENTITY_MAX + 1]);

/* The id, as they are shown it, of a claim of whoever asks that is near to a name which none has;
 * "" where none is.  Returns ret. */
const char *match_near(struct request *r, const char *name, char ret[static IDENTITY_MAX + 1]);

/* "no service matches shop:*", where that says it all: not of a port.  OUTCOME_NO. */
int match_fail(struct request *r, const struct match *match);

#endif
