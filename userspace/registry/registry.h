/* SPDX-License-Identifier: MIT */
/*
 * What should be: services and their ports, and the activity; SQLite behind it, this room its
 * only writer.  All SQL stands in one table (statements.c), the schema and its migrations in
 * schema.c.
 *
 * Writes happen inside a batch: registry_begin() opens a transaction unless one is open,
 * registry_commit() makes everything since then durable at once, or in two halves, of which the one
 * that waits for the disk may be another thread's.  An answer to a client is sent after both of
 * them, never before.  Each call below that changes something is a savepoint of its own: when it
 * fails, it alone is undone; outside of a batch it returns -EINVAL.
 *
 * Strings handed in are borrowed; strings inside rows handed out are borrowed for the call.
 * Times are Unix seconds.
 */
#ifndef REGISTRY_REGISTRY_H
#define REGISTRY_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/identity.h"
#include "base/outcome.h"
#include "base/process.h"

struct registry;

enum service_status {
	SERVICE_CLAIMED = 0,
	SERVICE_ACTIVE,
	SERVICE_GHOST,
	SERVICE_STALE,
	SERVICE_ORPHANED,
	SERVICE_SQUATTED,
	_SERVICE_STATUS_MAX
};

/* "claimed", "active", … as the contract spells them; static storage. */
const char *service_status_name(enum service_status s);
/* The status of a name, or -1. */
int service_status_of_name(const char *name);

struct service {
	const char *id;
	uint16_t port;
	uint16_t home; /* where it belongs: port, unless it moved aside */
	enum service_status status;
	int64_t created_at;
	int64_t updated_at; /* last time something was seen: claim, re-claim, status change to or
			       from life */
	int64_t expires_at; /* --ttl; 0 = never */
	const char *health_path; /* NULL = none */
	/* who claimed it, and from where: what "fits the claim" is decided by */
	uid_t uid;
	const char *cwd;	   /* "" = unknown */
	pid_t sid;		   /* session of the claimer; 0 = unknown */
	struct process_id claimer; /* the shell or program that ran pd; pid 0 = unknown */
	bool same_boot;		   /* claimed since this boot: sid and claimer mean something */
	bool ever_active;	   /* something that fits has listened since the claim */
	bool is_protected;	   /* its port is for its runs alone */
	const struct run *runs;	   /* the newest of its runs that have not ended; NULL = none */
};

enum activity_action {
	ACTIVITY_CLAIM = 0,
	ACTIVITY_RELEASE,
	ACTIVITY_ACTIVE,
	ACTIVITY_GHOST,
	ACTIVITY_ORPHAN,
	ACTIVITY_SQUAT,
	ACTIVITY_STALE,
	ACTIVITY_FAIL,
	ACTIVITY_HEALTH, /* a service became healthy or unhealthy */
	ACTIVITY_LOCK,	 /* the service column names the lock; so for UNLOCK */
	ACTIVITY_UNLOCK,
	ACTIVITY_SESSION, /* started, ended; the service column names the session; so for NOTE */
	ACTIVITY_NOTE,
	ACTIVITY_CLEANUP,
	ACTIVITY_GAP,	 /* events were lost, or the daemon was down */
	ACTIVITY_DAEMON, /* started, stopped */
	ACTIVITY_RUN,	 /* began, became ready, ended, … */
	_ACTIVITY_ACTION_MAX
};

/* "CLAIM", … static storage. */
const char *activity_action_name(enum activity_action a);
/* The action of a name in any case, or -1. */
int activity_action_of_name(const char *name);

struct activity {
	int64_t id; /* given by the database; 0 when handed in */
	enum activity_action action;
	const char *service; /* what it is about: a service, lock or session; "" = none */
	const char *details; /* one line of text, already made valid UTF-8 */
	int64_t timestamp;
	uint16_t port;	  /* 0 = none */
	pid_t pid;	  /* who did it; 0 = none */
	uid_t uid;	  /* PROCESS_UID_UNKNOWN = none: they share what one user may have */
	const char *comm; /* "" = none */
	int error;	  /* errno of a FAIL; 0 = none */
	const char *call; /* of a FAIL: "bind", "listen"; NULL or "" = none, or not known */
	const char *addr; /* … and the address that was asked for, likewise */
};
/* A copy with its texts, "" for NULL; *ret is the caller's: free().  0, -ENOMEM. */
int activity_copy(const struct activity *entry, struct activity **ret);

/*
 * Opens or creates the database (mode 0600), migrates it forward, reads its pragmas back.  0, or a
 * negative errno with one clear sentence in ret_error (size bytes): -EMEDIUMTYPE no database, or
 * another application's; -EPROTONOSUPPORT a newer schema (named); -EUCLEAN truncated or damaged;
 * -EACCES, -EROFS, -ENOENT, -ENOSPC as the system says; -EOPNOTSUPP a filesystem without WAL;
 * -EBUSY somebody holds it.  A file that is refused is not touched; from one that is accepted, and
 * from its log, everybody but the owner loses what rights a copy or an older umask gave them.
 *
 * To be opened after the last fork and the last change of user: SQLite's locks belong to the
 * process, and the log is created with the user of that moment.  Nobody else in the process may
 * open and close the file: that would drop the locks.
 *
 * People write into the file by hand.  A service row whose id or port is not legal is skipped by
 * every reader, its port (when it is one) is not handed out, and a claim of its id mends it.  An
 * unknown status reads as claimed, a time outside of 0..9999-12-31 as 0, a missing uid as that of
 * the file's owner, every other value that does not fit its type as unknown.  An activity row with
 * an unknown action is skipped.
 */
int registry_open(const char *path, struct registry **ret, char *ret_error, size_t size);
void registry_close(struct registry *r); /* commits nothing that is open; checkpoints the WAL */

/*
 * 0; -EBUSY when another program's transaction lasts longer than two seconds (the next begins then
 * wait no longer, until one succeeds).  A full disk or an I/O error can undo a batch as a whole
 * before its commit: from then on every write, begin and the commit return that error, and the
 * batch after that commit starts clean.
 */
int registry_begin(struct registry *r);
bool registry_in_batch(const struct registry *r);
/*
 * 0 (also when no batch is open), or a negative errno and everything since begin is undone:
 * -ENOSPC when the disk is full, -ESTALE when the paths of the database's files do not lead to what
 * is open any more (registry_files_check()).
 */
int registry_commit(struct registry *r);

/*
 * The half of it that waits for nothing: everybody reads what was changed, and kill -9 leaves it
 * there, but a power cut may take it back as long as no registry_sync() that began later has
 * returned 0.  Outcomes as above.
 */
int registry_commit_unsynced(struct registry *r);

/* Nothing was committed that no registry_sync() has begun for, and registry_condition() wants none.
 */
bool registry_is_synced(const struct registry *r);

/*
 * The other half: waits until all that was committed before is on the disk, and copies the log into
 * the file where it has grown long.  The one function that another thread may be in while this one
 * goes on, with everything but registry_close(); one thread at a time.  0, or a negative errno:
 * from then on every registry_begin() fails with it, for later changes would stand on what may be
 * lost.
 */
int registry_sync(struct registry *r);

/*
 * 0 while the paths of the database, its log and the log's index lead to what is open; -ESTALE
 * after one was removed or replaced.  What is open can still be read, and the next start will not
 * find it: nothing may be written that somebody relies on.  A file that is put back is as before.
 */
int registry_files_check(struct registry *r);

/* Is this negative errno the one that the database, and not something else, failed with last? */
bool registry_failed_with(const struct registry *r, int error);

/*
 * What strerror() is to the system, for such an errno: one sentence that names the file, what is
 * wrong with it, and the way out.  Any other errno gets strerror()'s own words.  Valid until the
 * next call.
 */
#define REGISTRY_WORDS_SIZE 512
const char *registry_strerror(struct registry *r, int error);

/*
 * Damage.  A file that has it is mended when it is opened, and at the first begin, or read_begin,
 * after a statement met it: everything that can be read moves into a new file, the damaged one is
 * set aside.  Where claims cannot be read whole, nothing is written to it, and the registry
 * refuses: it works on an empty one in memory, whose answers about claims, locks, sessions and the
 * activity of the past nobody may be given.
 */
bool registry_refuses(
	struct registry *r); /* then registry_strerror(r, -EUCLEAN) has the sentence */
/* Once: what was mended, and what is lost; NULL = nothing (more) to tell. */
#define REGISTRY_NEWS_SIZE 1024
const char *registry_news(struct registry *r);

/*
 * A step of the backup (database/backup.h), less than a millisecond: to be called again after the
 * milliseconds that it returns, for as long as the registry is open; it finds out by itself when
 * the next copy is due.
 */
int registry_backup_step(struct registry *r);

/*
 * Until registry_read_end(), or a batch that begins before, the reads of this registry are one
 * transaction: each of them alone takes and gives back the file's locks, three system calls for
 * microseconds of work.  Nothing happens inside of a batch.  Reads need neither of the two.
 */
void registry_read_begin(struct registry *r);
void registry_read_end(struct registry *r);

/*
 * Changes that stand or fall together: registry_group_begin(), the calls, registry_group_end(), of
 * which undo takes back what was changed in between and nothing else of the batch.  Groups do not
 * nest.  0, negative errno.
 */
int registry_group_begin(struct registry *r);
int registry_group_end(struct registry *r, bool undo);

/* quick_check of the file; *ret_detail (size bytes) names the first fault.  0 healthy, 1 not. */
int registry_check(struct registry *r, char *ret_detail, size_t size);

/*
 * "healthy", "damaged", "full" (no room for a commit) or "lost" (registry_files_check()), and why;
 * where it is healthy "", or what was mended since the start: by the
 * files as they are now, by `error`, which the calls before met (0 = none), and by a quick_check
 * that may be some seconds old: one of a large file is made by the next registry_sync().
 * *ret_detail is valid as that of registry_strerror().
 */
const char *registry_condition(struct registry *r, int error, int64_t now, const char **ret_detail);

/* Gives back memory that is kept to be faster: pages of the file, which the kernel has as well. */
void registry_give_back(struct registry *r);

/* True when another connection wrote into the file since the last call (PRAGMA data_version). */
bool registry_changed_by_others(struct registry *r);

struct registry_counters {
	uint64_t statements; /* executed */
	uint64_t commits;
	uint64_t errors;
	uint64_t busy_ns; /* spent inside SQLite, waiting for the disk included */
};
struct registry_counters registry_counters(const struct registry *r);

/* --- services --- */

struct claim_request {
	const char *id;		 /* as its user calls it: without a user behind it */
	uint16_t port;		 /* exactly this one; 0 = assign */
	struct port_range range; /* first = 0: the default, or what the service already has */
	int64_t ttl_s;		 /* 0 = none */
	const char *health_path; /* NULL = leave as it is */
	uid_t uid;		 /* of the caller */
	const char *cwd;
	pid_t sid;
	struct process_id claimer;
	int64_t now;
};

/* What the kernel makes of a port, for whoever claims it. */
enum port_use {
	PORT_FREE = 0,
	PORT_SERVED,   /* the claim has it, and what holds it fits the claim */
	PORT_TAKEN,    /* somebody else holds it */
	PORT_RESERVED, /* never handed out, whoever holds it, and nobody's home */
};

/* Asked for candidates, and for the port that the claim has (`own`). */
typedef enum port_use (*port_look)(uint16_t port, bool own, void *user_data);

struct claim_result {
	char id[IDENTITY_MAX + 1]; /* as it is stored */
	uint16_t port;
	uint16_t home;			  /* another: the claim moved aside, and will return */
	enum port_use use;		  /* of that port: PORT_FREE or PORT_SERVED */
	bool existing;			  /* the service had a port before */
	uint16_t previous_port;		  /* an existing claim moved: where it was; else 0 */
	char holder_id[IDENTITY_MAX + 1]; /* OUTCOME_CONFLICT by a claim: whose; else "" */
	uid_t holder_uid;		  /* … and of which user */
	int over; /* OUTCOME_TOO_LARGE: enum quota_outcome of QUOTA_CLAIMS */
};

/*
 * A claim that changes nothing moves updatedAt, which is compared with half hours and days, in
 * steps of this length only: a prompt or a loop that asks for its port costs the disk no write.
 */
#define REGISTRY_TOUCH_STEP_S 10

/*
 * Claims a port for a service (the rules stand in the contract).  The home of a new claim is the
 * port that its name had last, else the first candidate of the name; one that another claim has, or
 * has as its home, is passed over.  Where the home is taken by a process the claim moves aside, to
 * the next candidate that is free, and so does an existing claim whose port is taken; it returns as
 * soon as it is claimed while the home is free and nothing of the claim's own holds the other port.
 * -p makes its port the home, or fails.
 * A ghost or stale service counts as claimed again, and so does one that is moved.
 *
 * Names belong to users: where another user has the name already, the claim is a claim of its own,
 * stored as "NAME@USER".
 * 0; OUTCOME_CONFLICT (port claimed by, or the home of, holder_id, or not free: holder_id empty);
 * OUTCOME_TOO_LARGE (its user has as many as may be); OUTCOME_NO_FREE_PORT; negative errno.
 * *ret is filled for every outcome.
 */
int registry_claim(struct registry *r, const struct claim_request *request, port_look look,
		   void *user_data, struct claim_result *ret);

/*
 * The id of the service that a user means: one's own of that name, else as it is given; of
 * "NAME@USER" that user's, also where it is stored without.  0, negative errno.
 */
int registry_meant_id(struct registry *r, const char *name, uid_t uid,
		      char ret[static IDENTITY_MAX + 1]);

/*
 * What a user is shown of an id: one's own without the user; another's as it is stored, and with
 * its owner where the viewer has one of the same name.  Returns ret; the id itself after an error.
 */
const char *registry_shown_id(struct registry *r, const char *id, uid_t owner, uid_t viewer,
			      char ret[static IDENTITY_MAX + 1]);

/* Removes the claim and remembers its port.  0, OUTCOME_NO when there is none, negative errno. */
int registry_release(struct registry *r, const char *id, int64_t now);

/* Calls visit with the service; 0, OUTCOME_NO, negative errno.  The row is borrowed for the call.
 */
typedef bool (*service_visit)(const struct service *service, void *user_data);
int registry_service_by_port(struct registry *r, uint16_t port, service_visit visit,
			     void *user_data);

/*
 * Reads which ports are claimed, if another program has written to the database since the last
 * time.  0, negative errno.
 */
int registry_ports_refresh(struct registry *r);

/* False when no service had the port, or its home there, at the last refresh, nor since through us:
 * without a query. */
bool registry_port_may_be_claimed(const struct registry *r, uint16_t port);

struct service_filter {
	const char *pattern; /* or an id; identity_is_meant(); NULL = all */
	uint16_t port;	     /* 0 = all */
	int status;	     /* enum service_status, -1 = all */
	const char *after;   /* only those behind this id in their order; NULL or "" = all */
};
/* In order of id.  visit returns false to stop.  visit may not call the registry's write functions.
 */
int registry_for_each_service(struct registry *r, const struct service_filter *filter,
			      service_visit visit, void *user_data);

/*
 * Stores a new status; `updated_at` moves to now when `touch`; `ever_active` is set when the status
 * is SERVICE_ACTIVE.  0, OUTCOME_NO when there is no such service, negative errno.
 */
int registry_set_status(struct registry *r, const char *id, enum service_status status, bool touch,
			int64_t now);

/* Its port is to be for its runs alone, or for everybody.  0, OUTCOME_NO when there is no such
 * service, negative errno. */
int registry_set_protected(struct registry *r, const char *id, bool on);
/* Those whose ports are; as registry_for_each_service(), in no order. */
int registry_for_each_protected(struct registry *r, service_visit visit, void *user_data);

/* Counts by status, indexed by enum service_status. */
int registry_count_services(struct registry *r, int64_t ret_counts[_SERVICE_STATUS_MAX]);

/* Was this port ever claimed by anybody?  1, 0, negative errno. */
int registry_port_ever_claimed(struct registry *r, uint16_t port);

/*
 * Services that are claimed or ghosts and were last seen at `since` or before, and services whose
 * --ttl is over at `now` while nothing serves them (one that is used ends when its use does); the
 * oldest of each kind first.  visit as above.
 */
int registry_for_each_silent(struct registry *r, int64_t since, service_visit visit,
			     void *user_data);
int registry_for_each_expired(struct registry *r, int64_t now, service_visit visit,
			      void *user_data);

/*
 * The next moment at which a status changes by time alone: the earliest claim that turns stale, or
 * that expires and is not used (INT64_MAX = never).
 */
int registry_next_deadline(struct registry *r, int64_t stale_age_s, int64_t *ret_unix);

/* --- activity --- */

#define ACTIVITY_KEEP_S	     (30 * 86400)
#define ACTIVITY_KEEP_NEWEST 1000 /* never pruned */

/* How much of the activity is kept; registry_open() starts with QUOTA_LOG_ROWS and the above. */
struct activity_limits {
	int64_t rows; /* at least ACTIVITY_KEEP_NEWEST */
	int64_t age_s;
};
void registry_set_activity_limits(struct registry *r, const struct activity_limits *limits);

/* Appends; *ret_id (may be NULL) gets the new row's id. */
int registry_log(struct registry *r, const struct activity *entry, int64_t *ret_id);

#define ACTIVITY_SUBJECTS_MAX 16 /* of one filter; more than anybody types */
#define ACTIVITY_BIT(action)  (UINT32_C(1) << (action))
_Static_assert(_ACTIVITY_ACTION_MAX <= 32, "every action has a bit");

/* What is set is combined with "and"; several actions, and several subjects and ports, with "or".
 */
struct activity_filter {
	/* names or patterns of what entries are about; the first NULL ends them */
	const char *subjects[ACTIVITY_SUBJECTS_MAX + 1];
	uint16_t ports[ACTIVITY_SUBJECTS_MAX + 1]; /* the first 0 ends them; none of both = all */
	uint32_t actions;			   /* ACTIVITY_BIT() of each; 0 = all */
	int64_t from, to;			   /* both included; 0 = open */
	int64_t after_id;			   /* only newer rows; 0 = all */
	bool is_before;				   /* only rows older than before_id */
	int64_t before_id;			   /* people give ids by hand, 0 and less too */
	int64_t limit;				   /* rows at most; 0 = no limit */
};
typedef bool (*activity_visit)(const struct activity *entry, void *user_data);
/* Newest first, that is by id.  100,000 entries are looked through in milliseconds, see
 * activity_find.c. */
int registry_for_each_activity(struct registry *r, const struct activity_filter *filter,
			       activity_visit visit, void *user_data);
/* Copies of refusals of a port, newest first, at most `max` of those that are not long ago; the
 * caller's in any case: free() each.  0, negative errno. */
int registry_port_refusals(struct registry *r, uint16_t port, size_t max, struct activity **ret,
			   size_t *ret_n);
/* Subjects, ports and actions only; action -1 is something that is no entry and only has a subject
 * (NULL or "" = none) and a port (0 = none). */
bool activity_filter_accepts(const struct activity_filter *filter, int action, const char *service,
			     uint16_t port);
int registry_count_activity_since(struct registry *r, int64_t since, int64_t *ret);
/*
 * Drops what is beyond the limits above, at most max_rows at a time, and as many remembered ports,
 * sessions and notes beyond theirs (sessions.h).  Too many rows are taken from the users who have
 * most, the oldest first.  Returns how many rows of activity are gone, or a negative errno.
 */
int registry_prune_activity(struct registry *r, int64_t now, int max_rows);

/* --- refusals --- */

/* Rows beyond QUOTA_REFUSALS_KEPT before they are dropped, all at once. */
#define FAILURES_PRUNE_SLICE 50

/* A refused bind() or listen() with its explanation as it was at that moment. */
struct refusal_record {
	int64_t id; /* of registry_next_refusal_id(); 0 or taken: the database gives one */
	int64_t at;
	struct process_id caller; /* handed out with start 0 when it was before this boot */
	uid_t uid;		  /* PROCESS_UID_UNKNOWN = unknown */
	const char *comm;
	uint16_t port;
	int error;
	const char *explanation; /* the why object as JSON text */
};

/*
 * An id that is above all others, for a refusal that is explained later: rows are in order of ids,
 * whatever the order in which they are written.  0, negative errno.
 */
int registry_next_refusal_id(struct registry *r, int64_t *ret_id);

/*
 * Stores it; *ret_id (may be NULL) gets its id.  When there are too many, whoever has most rows
 * loses his oldest, and among his own those of the process or port that has most: the newest of
 * each user stays, as long as there are not more users than rows.
 */
int registry_record_refusal(struct registry *r, const struct refusal_record *refusal,
			    int64_t *ret_id);

struct refusal_filter {
	uid_t uid;     /* PROCESS_UID_UNKNOWN = of everybody */
	pid_t pid;     /* 0 = of any process */
	uint16_t port; /* 0 = of any port */
	int64_t limit;
};
typedef bool (*refusal_visit)(const struct refusal_record *refusal, void *user_data);
/* Newest first.  Rows without an explanation that is valid UTF-8 are skipped. */
int registry_for_each_refusal(struct registry *r, const struct refusal_filter *filter,
			      refusal_visit visit, void *user_data);

/* Rows of locks that are held. */
int registry_count_locks(struct registry *r, int64_t *ret);

/* The last moment at which this database knew that a daemon was running on it; 0 = never.  The
 * newest of what registry_mark_alive() stored and what was written since, read at start to name the
 * gap. */
int registry_last_alive(struct registry *r, int64_t *ret);
int registry_mark_alive(struct registry *r, int64_t now);

#endif
