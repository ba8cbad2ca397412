/* SPDX-License-Identifier: MIT */
/* What the files of this room share and nobody else sees. */
#ifndef REGISTRY_INTERNAL_H
#define REGISTRY_INTERNAL_H

#include <sqlite3.h>

#include "base/portset.h"
#include "base/quota.h"
#include "database/backup.h"
#include "database/files.h"
#include "database/sync.h"
#include "registry/errors.h"
#include "registry/registry.h"
#include "registry/runs.h"
#include "registry/statements.h"

/* 9999-12-31: a time beyond it was typed by hand; clamped, so that adding an age cannot overflow.
 */
#define REGISTRY_TIME_MAX_S INT64_C(253402300799)

/*
 * A full disk or an I/O error can make SQLite undo the whole transaction on its own.  From then on
 * a statement would commit by itself: a lost batch takes no more writes until its commit has failed
 * for everybody.
 */
enum batch_state { BATCH_NONE = 0, BATCH_OPEN, BATCH_LOST };

/* What the last quick_check said (condition.c). */
struct registry_checked {
	int64_t at, again_at; /* Unix seconds; 0 = not yet */
	int error;	      /* as registry_check() returned it */
	char detail[REGISTRY_WORDS_SIZE];
};

/* Of those who have most; the rest has less than a hundredth each, and is looked at when it is its
 * turn. */
#define REGISTRY_HOLDINGS 100

struct registry_holding {
	uid_t uid; /* PROCESS_UID_UNKNOWN: rows that a person wrote without one */
	int64_t rows;
};

/* How many rows of a table each user has, counted once and kept up to date: to count 100,000 of
 * them takes 7 ms. */
struct registry_holdings {
	bool loaded;
	int64_t version; /* data_version that they were counted at */
	int n;
	struct registry_holding users[REGISTRY_HOLDINGS];
};

struct registry {
	char *path;
	sqlite3 *db;
	sqlite3_stmt *statements[_STATEMENT_MAX];
	bool accepted; /* the file is ours and of our version: closing may write into it */
	enum batch_state batch;
	int batch_error;
	bool reading; /* a transaction of reads is open; never together with a batch */
	uid_t owner;  /* of the file: whose a row without a uid is */
	struct files files;
	struct sync sync;
	struct registry_checked checked;
	int last_error;			   /* of a statement or of the files */
	int full;			   /* what the last commit failed with, if it was that */
	bool damaged;			   /* a statement met it; to be mended */
	int64_t mend_after_ms;		   /* CLOCK_MONOTONIC */
	bool mended, is_news;		   /* since the start; and nobody was told yet */
	char news[REGISTRY_NEWS_SIZE];	   /* what was lost */
	char refused[REGISTRY_WORDS_SIZE]; /* why nothing is known of claims; "" = they are there */
	struct backup_copy *backup;	   /* that is being made; NULL = none */
	char words[REGISTRY_WORDS_SIZE];   /* that registry_strerror() returned last */
	uid_t own_uid;

	/* Ports of services and their homes, also of rows that violate our rules.  A query for each
	 * candidate of a nearly full range would be 14 ms of a claim. */
	struct portset claimed;
	struct quota *claims;  /* the ports alone, counted for each user */
	struct portset ever;   /* ports that anybody ever claimed */
	bool names_are_shared; /* some id has its user behind it */
	bool ports_loaded;
	bool ports_settled;	  /* looked at in this transaction: it sees no other's writes */
	int64_t ports_version;	  /* data_version that both sets were loaded at */
	int64_t reported_version; /* data_version at the last registry_changed_by_others() */
	bool sums_checked;	  /* of notes, at the data_version below */
	int64_t sums_version;
	bool all_visible; /* no row violated our rules at the data_version below */
	int64_t visible_version;

	struct registry_holdings log; /* of the activity */
	bool impatient;		      /* the last begin found somebody else's write */
	struct activity_limits keep;
	int64_t locks_freed_at; /* the last of those in this batch; 0 = none */
	int64_t refusal_id;	/* handed out last; 0 = none yet */
	struct registry_counters counters;
	struct run *runs; /* that have not ended, newest first */
};

/* Mends what a statement has met, where nothing is open that would mind (open.c). */
void registry_mend_when_damaged(struct registry *r);

/* 0 in an open batch, -EINVAL outside of one, the batch's error when it was lost. */
int registry_write_check(const struct registry *r);

/*
 * A change of several statements: savepoint_open(), the statements, savepoint_close(their result).
 * Closing with an error undoes them alone; returns that error, or that of the release.
 */
int registry_savepoint_open(struct registry *r);
int registry_savepoint_close(struct registry *r, int error);

/*
 * The id under which a user has that name, or would have it: 1 when there is such a row (also one
 * that readers skip), 0, negative errno.
 */
int registry_own_id(struct registry *r, const char *name, uid_t uid,
		    char ret[static IDENTITY_MAX + 1]);

/* Deletes the row, whatever is in it; 0 also when there is none. */
int registry_service_delete(struct registry *r, const char *id);

/* In a batch or in reads that were begun: what was read once stays so until it is changed here. */
bool registry_in_transaction(const struct registry *r);

/* PRAGMA data_version: differs once another connection has written.  0, negative errno. */
int registry_data_version(struct registry *r, int64_t *ret);

/* A service has another port and home in the sets than before; 0 = none. */
void registry_ports_replace(struct registry *r, uint16_t port, uint16_t home, uint16_t new_port,
			    uint16_t new_home);

/* Stores that a service had a port, as the one it had last; 0, negative errno. */
int registry_port_remember(struct registry *r, const char *id, uint16_t port, uid_t uid,
			   int64_t now);

/* Forgets remembered ports beyond QUOTA_PORTS_KEPT, at most max_rows.  0, negative errno. */
int registry_ports_prune(struct registry *r, int max_rows);

/* Forgets free locks that have aged out or are beyond QUOTA_LOCKS_KEPT.  0, negative errno. */
int registry_locks_prune(struct registry *r, int64_t now);
/* The same where some were freed in this batch: once at its end, for it reads the whole table. */
int registry_locks_prune_freed(struct registry *r);

/* Forgets sessions and notes beyond the limits of sessions.h, the oldest first, at most max_rows of
 * each. */
int registry_sessions_prune(struct registry *r, int64_t now, int max_rows);

/*
 * Forgets as many rows of a table, the oldest of the users who have most (retention.c).  `counts`
 * gives (uid, rows) with the greatest first; `oldest` deletes ?2 rows of uid ?1, NULL = none.  How
 * many are gone, negative errno.
 */
int registry_forget_fairly(struct registry *r, enum statement counts, enum statement oldest,
			   int64_t excess);

/*
 * The same by counts that are kept: refreshed before, told of each row that is added, and to be
 * counted anew (loaded = false) where something else changed them.
 */
int registry_holdings_refresh(struct registry *r, struct registry_holdings *h,
			      enum statement counts);
void registry_holdings_add(struct registry_holdings *h, uid_t uid);
int registry_holdings_forget(struct registry *r, struct registry_holdings *h, enum statement oldest,
			     int64_t excess);
int64_t registry_holdings_rows(const struct registry_holdings *h);

/* A service as stored, with what only the claim needs. */
struct service_row {
	struct service service;
	bool has_port;		 /* service.port is valid */
	struct port_range range; /* first = 0: none was asked for */
};

/* Decodes the row that q stands on.  False when no legal id is in it: the row is to be skipped. */
bool service_row_decode(const struct query *q, struct service_row *ret);

#endif
