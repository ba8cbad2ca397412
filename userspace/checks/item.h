/* SPDX-License-Identifier: MIT */
/*
 * One service under a health check.  What the kernel knows comes first: where nothing listens, or
 * somebody else does, the answer is there at once and nothing is connected to.
 */
#ifndef CHECKS_ITEM_H
#define CHECKS_ITEM_H

#include <stdbool.h>
#include <stdint.h>

#include "health/health.h"
#include "reconcile/status.h"
#include "registry/registry.h"

/* An address, with the brackets of IPv6. */
#define HEALTH_HOST_SIZE   (NET_ADDR_STR_SIZE + 2)
#define HEALTH_RESULT_SIZE 24 /* the longest of our own words and some more */

struct checks;
struct health_round;

enum wellness { WELLNESS_ILL = 0, WELLNESS_WELL, WELLNESS_UNKNOWN /* cannot be checked */ };

struct health_previous {
	bool known;
	enum wellness wellness;
	char result[HEALTH_RESULT_SIZE];
	int http_status;
	int64_t checked_at, elapsed_us;
};

struct health_item {
	struct health_round *round;
	char *id;
	uid_t uid; /* whose service it is */
	uint16_t port;
	enum service_status status;
	/* of one that serves: that it was left behind, or that a stranger serves beside it; or ""
	 */
	char warning[STATUS_REASON_SIZE];
	int64_t claimed_at, seen_at;
	char *health_path; /* as stored; NULL = none */
	struct health_previous previous;

	/* To be connected to: target, which borrows host and health_path. */
	bool connects;
	struct health_target target;
	char host[HEALTH_HOST_SIZE];
	struct health_check *check; /* that runs; NULL = none */

	/* The answer, once `known`. */
	bool known;
	const char *result; /* static storage */
	enum wellness wellness;
	bool was_asked; /* by a connection, not the kernel's table */
	bool not_tried; /* was to be, and had no turn in time: nothing to be stored */
	struct health_answer answer;
	int64_t checked_at;
};

/*
 * Judges the service as it is now.  The item is known afterwards, or connects.  0, negative errno;
 * to be deinitialized either way.
 */
int health_item_init(const struct checks *checks, const struct service *service, int64_t now,
		     struct health_item *ret);
void health_item_deinit(struct health_item *item);

/* Takes the answer of its check. */
void health_item_answer(struct health_item *item, const struct health_answer *answer, int64_t now);

/* "https://localhost:3100/health", or "" where there is none to ask for.  Returns ret. */
#define HEALTH_URL_SIZE (HEALTH_HOST_SIZE + 1024 + 32)
char *health_item_url(const struct health_item *item, char ret[static HEALTH_URL_SIZE]);

/* "healthy: 200 OK (45ms)", "unhealthy: no response for 5s": for the audit trail.  Returns ret. */
#define HEALTH_SENTENCE_SIZE (HEALTH_DETAILS_SIZE + HEALTH_REASON_SIZE + 64)
char *health_item_sentence(const struct health_item *item, char ret[static HEALTH_SENTENCE_SIZE]);

#endif
