/* SPDX-License-Identifier: MIT */
/*
 * Sessions and their notes: who works on what, and how far they came.  A session belongs to
 * a process; it is active until it is ended, stalled while its process is gone.
 *
 * The rules of registry.h hold: writes inside a batch, strings borrowed, Unix seconds.  People
 * insert rows by hand: a row without a legal id is skipped, one with an endedAt is completed, an
 * unknown status reads as active, a missing uid as that of the file's owner.
 */
#ifndef REGISTRY_SESSIONS_H
#define REGISTRY_SESSIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/process.h"
#include "base/session.h"

struct registry;

enum session_status { SESSION_ACTIVE = 0, SESSION_STALLED, SESSION_COMPLETED, _SESSION_STATUS_MAX };

/* "active", "stalled", "completed"; static storage. */
const char *session_status_name(enum session_status s);

/* Sessions that are not active: QUOTA_SESSIONS_KEPT, and so long; never fewer than each user's
 * newest. */
#define SESSIONS_KEEP_S	     (30 * 86400)
#define SESSIONS_KEEP_NEWEST 20
/*
 * A stalled session waits so long for somebody who goes on with it, and so many of a user's do, the
 * newest: a weekend and some days.  Then it is completed, as of the moment at which it stalled, and
 * `pd sessions` ends with what is still going on.
 */
#define SESSIONS_STALLED_KEEP_S	     (7 * 86400)
#define SESSIONS_STALLED_KEEP_NEWEST 20
/* Notes of one session, the newest.  The limits of a session are not a user's and stand here: it is
 * read as one, by people and in one answer.  Of a user: QUOTA_NOTE_BYTES. */
#define NOTES_PER_SESSION	2000
#define NOTES_PER_SESSION_BYTES (2 << 20) /* a hundred of the longest; with 128 for each row */

struct session {
	const char *id;
	const char *purpose; /* "" = none */
	const char *agent;   /* a name for who works in it; "" = none */
	int64_t started_at;
	int64_t ended_at;   /* 0 = not */
	int64_t stalled_at; /* 0 = not */
	enum session_status status;
	uid_t uid;
	const char *cwd;	   /* top of the worktree, or the directory; "" = unknown */
	const char *tty;	   /* "pts/3"; "" = none */
	struct process_id process; /* whose end makes it stalled; pid 0 = none */
	bool same_boot;		   /* process means something */
	/* the newest note; "" and 0 = none.  Not filled in by what writes. */
	const char *last_note;
	int64_t last_note_at;
	int64_t n_notes;
	int64_t place; /* among all sessions: greater than that of each that began before */
};

/*
 * Starts an active session with a new random id, copied to ret_id;
 * session->id and status are not read.  0; an enum quota_outcome of QUOTA_SESSIONS_ACTIVE; negative
 * errno.
 */
int registry_session_start(struct registry *r, const struct session *session,
			   char ret_id[static SESSION_ID_MAX + 1]);

/* 0, OUTCOME_NO when there is no such session, negative errno. */
int registry_session_end(struct registry *r, const char *id, int64_t now);
/* OUTCOME_NO also when it is not active. */
int registry_session_stall(struct registry *r, const char *id, int64_t now);
/* Active again, on another process and terminal. */
int registry_session_revive(struct registry *r, const char *id, const struct process_id *process,
			    const char *tty);

/* The row is borrowed for the call; false stops.  It may not call what writes. */
typedef bool (*session_visit)(const struct session *session, void *user_data);

/*
 * Sessions that a text means: the one of that id, with or without the prefix, else all whose id
 * begins so, in order of id.  0, negative errno.
 */
int registry_session_find(struct registry *r, const char *text, session_visit visit,
			  void *user_data);

struct session_filter {
	uid_t uid;     /* PROCESS_UID_UNKNOWN = of everybody */
	bool open;     /* active and stalled ones only */
	int64_t limit; /* of completed ones, the newest; 0 = all */
};
/* Open ones first, the oldest before; then the completed, the newest before. */
int registry_for_each_session(struct registry *r, const struct session_filter *filter,
			      session_visit visit, void *user_data);

/* The place of a session in that order, as text that sorts so. */
#define SESSION_PLACE_SIZE (64 + SESSION_ID_MAX)
void session_place(const struct session *s, char ret[SESSION_PLACE_SIZE]);

/* Counts by status, indexed by enum session_status. */
int registry_count_sessions(struct registry *r, int64_t ret_counts[_SESSION_STATUS_MAX]);

struct note {
	int64_t id; /* given by the database */
	const char *session;
	int64_t timestamp;
	const char *text; /* valid UTF-8 */
	uid_t uid;	  /* PROCESS_UID_UNKNOWN = unknown */
	pid_t pid;	  /* 0 = unknown */
	const char *comm; /* "" = unknown */
};

/*
 * Appends, and drops the oldest of the session beyond its limits, of the user beyond
 * QUOTA_NOTE_BYTES, and of the users who have most where all have more than the machine's.
 * *ret_id may be NULL.  0, negative errno.
 */
int registry_note_add(struct registry *r, const struct note *note, int64_t *ret_id);

typedef bool (*note_visit)(const struct note *note, void *user_data);
/* The notes of a session behind the id `after` (INT64_MIN = all), oldest first. */
int registry_for_each_note(struct registry *r, const char *session, int64_t after, note_visit visit,
			   void *user_data);
/* *ret_after: the id behind which the newest n notes of a session stand.  0, negative errno. */
int registry_newest_notes(struct registry *r, const char *session, int64_t n, int64_t *ret_after);

#endif
