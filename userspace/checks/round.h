/* SPDX-License-Identifier: MIT */
/*
 * A round of health checks over the claims that somebody asked about.  It goes on in steps, between
 * which the loop turns; each service is told as it is known.  The results are stored in the open
 * batch, and the round ends behind the commit of the last of them: whether that succeeds changes
 * nothing of what was found, so it is only told.
 */
#ifndef CHECKS_ROUND_H
#define CHECKS_ROUND_H

#include "checks/item.h"

/* What a round works with.  Borrowed. */
struct checks {
	struct inventory *inventory;
	struct registry *registry;
	struct tracker *tracker;
	struct health *health;
};

/* Who asks: an entry of the audit trail names them. */
struct health_asker {
	pid_t pid;
	uid_t uid;
	const char *comm; /* UTF-8; borrowed for the call */
	/*
	 * The health paths that they have for services now, which count instead of the stored
	 * ones: "ID PATH ID PATH"; NULL = none.  Borrowed for the call.
	 */
	const char *paths;
};

struct health_round;

/* Each gets the caller's user_data. */
struct health_round_calls {
	/* So many claims are asked about; once, before any of them is known. */
	void (*counted)(size_t total, void *user_data);
	void (*known)(const struct health_item *item, void *user_data);
	/* health_round_step() is due: at once, or when whoever asks has read enough. */
	void (*step_due)(void *user_data);
	/*
	 * Results are in the open batch: has the commit call back, with its error or 0.  0,
	 * negative errno, and then nobody calls back.
	 */
	int (*stage)(void (*committed)(int error, void *round), void *round, void *user_data);
	/* All is known and committed, or given up behind health_round_cancel(); the round is freed
	 * behind this call. */
	void (*ended)(const struct health_round *round, void *user_data);
};

/*
 * Copies the first of the claims, of which there may be none; the check of each takes timeout_s at
 * most.  0, negative errno.  Nothing is called before the first step.
 */
int health_round_new(const struct checks *checks, const struct service_filter *filter,
		     const struct health_asker *asker, int64_t timeout_s,
		     const struct health_round_calls *calls, void *user_data,
		     struct health_round **ret);
/* Before its first step only. */
void health_round_free(struct health_round *round);

/* 0; a negative errno, and then it is to be cancelled. */
int health_round_step(struct health_round *round);
/* Steps may go on by now where they had to wait for checks of others. */
void health_round_go_on(struct health_round *round);
/* Nobody wants to know any more: ends what runs; what was found until then is kept. */
void health_round_cancel(struct health_round *round);

struct health_counts {
	size_t total, waiting;
	int64_t by_wellness[WELLNESS_UNKNOWN + 1];
	int64_t not_tried; /* they are among the unknown */
	bool stored;
	int64_t elapsed_ms;
};
struct health_counts health_round_counts(const struct health_round *round);

#endif
