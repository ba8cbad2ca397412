/* SPDX-License-Identifier: MIT */
/* The last health check of each service; it goes with its claim.  Rules as in registry.h. */
#ifndef REGISTRY_HEALTH_H
#define REGISTRY_HEALTH_H

#include <stdint.h>

struct registry;

struct health_record {
	const char *id; /* of the service */
	int64_t checked_at;
	const char *result;  /* "ok", "timeout", …; the word is the caller's */
	int http_status;     /* 0 = none */
	int64_t elapsed_us;  /* -1 = nothing was measured */
	const char *url;     /* "" = none */
	const char *details; /* "" = none */
};

/*
 * Stores it in place of the one before.  0; OUTCOME_NO when the service is not claimed any more;
 * negative errno.
 */
int registry_store_health(struct registry *r, const struct health_record *record);

/* Calls visit with the last one; 0, OUTCOME_NO, negative errno.  Borrowed for the call. */
typedef void (*health_visit)(const struct health_record *record, void *user_data);
int registry_health_by_id(struct registry *r, const char *id, health_visit visit, void *user_data);

#endif
