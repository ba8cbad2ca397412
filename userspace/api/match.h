/* SPDX-License-Identifier: MIT */
/* The services that a release or a health check is about: one id, a pattern, or the one of a port.
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

/* "no service matches shop:*", where that says it all: not of a port.  OUTCOME_NO. */
int match_fail(struct request *r, const struct match *match);

#endif
