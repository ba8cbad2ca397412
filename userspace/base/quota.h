/* SPDX-License-Identifier: MIT */
/*
 * What one user may use up of the daemon: one table of limits, and one count for each user of what
 * is in use.  Things that live in memory (connections, waiting requests, unsent bytes) are charged
 * here when they begin and given back when they end.  Rows that stay on the disk (sessions, notes)
 * are counted by the database itself and judged by quota_judge(), and what comes back by itself
 * with time is counted by a share (share.h); only their limits stand here.
 *
 * Root and the daemon's own user are not held to the limit of a user, so that whoever is to clear
 * up can; the bound of the machine holds for everybody, and a part of it is kept for those two.
 */
#ifndef BASE_QUOTA_H
#define BASE_QUOTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum quota_kind {
	QUOTA_CONNECTIONS,
	QUOTA_UNSENT_BYTES,	/* charged while an answer waits to be read */
	QUOTA_REFUSALS,		/* comes back with time */
	QUOTA_REFUSALS_WAITING, /* charged, in bytes */
	QUOTA_REFUSALS_KEPT,	/* rows */
	QUOTA_HISTORY,		/* comes back with time */
	QUOTA_HISTORY_KEPT,	/* rows */
	QUOTA_SEARCHES,		/* comes back with time, in microseconds */
	/* in memory */
	QUOTA_LOCKS_HELD,
	QUOTA_LOCK_WAITERS,
	QUOTA_HEALTH_CHECKS,
	QUOTA_HEALTH_RUNNING,
	QUOTA_PROCESS_FDS,
	QUOTA_RUNS,
	QUOTA_PROMPTS,
	/* rows */
	QUOTA_CLAIMS,
	QUOTA_SESSIONS_ACTIVE,
	QUOTA_SESSIONS_KEPT,
	QUOTA_NOTE_BYTES,
	QUOTA_LOG_ROWS,
	QUOTA_LOCKS_KEPT,
	QUOTA_PORTS_KEPT,
	_QUOTA_MAX
};

/* What becomes of more than may be. */
enum quota_excess {
	QUOTA_REFUSES = 0, /* it is refused, with the sentence of quota_refusal() */
	QUOTA_FORGETS,	   /* the oldest go: those of the user who has most, whoever came last */
	QUOTA_DEFERS,	   /* it waits its turn, or is done in a slower way */
};

struct quota_limit {
	const char *name; /* of the things, as a refusal names them: "open connections" */
	enum quota_excess excess;
	const char *way_out; /* what a refused one can do: "close one and try again" */
	const char *reason;  /* why this number and no other; for the documentation */
	uint64_t per_user;   /* in the unit of the name */
	uint64_t machine;    /* of all users together; 0 = no bound of its own */
	uint64_t reserved;   /* of `machine`: kept for root and the daemon's own user */
	/* how much of it comes back in a second; 0 = it does not, somebody gives it back */
	uint32_t per_user_s, machine_s;
};

/* The row of a kind; static storage, never NULL. */
const struct quota_limit *quota_limit(enum quota_kind kind);

/*
 * The limit that is in force of a kind: the table's, or what quota_divide_descriptors() has made of
 * it.  Borrowed from the quota.
 */
struct quota;
const struct quota_limit *quota_limit_of(const struct quota *q, enum quota_kind kind);

/*
 * The sentence for whoever is refused: "you have 128 open connections, the limit of a user; close
 * one and try again".  Writes at most size bytes with the NUL; returns ret.
 */
#define QUOTA_REFUSAL_SIZE 256
enum quota_outcome {
	QUOTA_OVER_USER = 1, /* this user has all that a user may have */
	QUOTA_OVER_MACHINE,  /* all users together have all that there is */
};
const char *quota_refusal(const struct quota_limit *limit, enum quota_outcome outcome, char *ret,
			  size_t size);

/* Root, and the daemon's own user. */
bool quota_exempts(uid_t uid, uid_t own_uid);

/*
 * May a user who has `used`, while all have used_by_all, have `amount` more?  For what somebody
 * else counts.  0, or an enum quota_outcome.
 */
int quota_judge(enum quota_kind kind, bool exempt, uint64_t used, uint64_t used_by_all,
		uint64_t amount);

/* What is in use now, by user. */
/* own_uid: the daemon's own user, who is exempt as root is.  0, -ENOMEM. */
int quota_new(uid_t own_uid, struct quota **ret);
/* NULL is allowed. */
void quota_free(struct quota *q);

/*
 * The process may open `left` files for those whom it serves.  Where that is less than what the
 * table gives away of connections, watched processes and health checks, each of them gets a part of
 * it, and what a user may have of it, and what is kept for root, becomes less in the same measure.
 * QUOTA_DESCRIPTORS_WANTED of them are enough for all that the table gives away.
 */
#define QUOTA_DESCRIPTORS_WANTED 1056
void quota_divide_descriptors(struct quota *q, uint64_t left);

/*
 * Charges `amount` of a kind to a user.  0; an enum quota_outcome, with nothing charged; -ENOMEM,
 * with nothing charged.  Takes the same time however many users and things there are.
 */
int quota_charge(struct quota *q, uid_t uid, enum quota_kind kind, uint64_t amount);
/* What quota_charge() would answer; charges nothing. */
int quota_check(const struct quota *q, uid_t uid, enum quota_kind kind, uint64_t amount);
/* Charges what is there already and is not to be refused, over a limit or not.  0, -ENOMEM. */
int quota_charge_existing(struct quota *q, uid_t uid, enum quota_kind kind, uint64_t amount);
/* Gives back what was charged; a contract of the caller: never more than that. */
void quota_give_back(struct quota *q, uid_t uid, enum quota_kind kind, uint64_t amount);

uint64_t quota_used(const struct quota *q, uid_t uid, enum quota_kind kind);
uint64_t quota_used_by_all(const struct quota *q, enum quota_kind kind);

#endif
