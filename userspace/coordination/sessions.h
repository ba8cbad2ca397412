/* SPDX-License-Identifier: MIT */
/*
 * The life of sessions: started, found, written into, ended, and stalled at the moment when what
 * they stand on is gone.  A session stands on the shell that ran pd, and on its terminal.
 */
#ifndef COORDINATION_SESSIONS_H
#define COORDINATION_SESSIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/procfs.h"
#include "coordination/coordination.h"
#include "reconcile/belongs.h"
#include "registry/sessions.h"

struct sessions;

/* *c is copied.  0, negative errno. */
int sessions_new(const struct coordination *c, struct sessions **ret);
/* NULL is allowed. */
void sessions_free(struct sessions *s);

/*
 * Watches what active sessions of the registry stand on, and nothing else.  What is gone already is
 * stalled now: not before the registry's past is written down.
 */
void sessions_watch_all(struct sessions *s);
/* What was written since the last commit is undone: after a while all of them are watched anew. */
void sessions_undone(struct sessions *s);

/* --- who asks --- */

/* As the kernel names them, never as they say. */
struct session_caller {
	uid_t uid;
	pid_t pid;		   /* 0 = not visible from here */
	struct process process;	   /* all of it zero: not visible, or ended by now */
	char tty[PROCFS_TTY_SIZE]; /* "" = none */
	int64_t now;		   /* Unix seconds */
};

void session_caller_describe(uid_t uid, pid_t pid, int64_t now, struct session_caller *ret);

/* --- which session is meant --- */

#define SESSIONS_CANDIDATES_MAX 8

/* A session that outlives the registry's cursor. */
struct session_copy {
	char id[SESSION_ID_MAX + 1];
	char purpose[SESSION_PURPOSE_MAX_BYTES + 1];
	enum session_status status;
	uid_t uid;
	int64_t started_at, ended_at, place;
};

struct sessions_found {
	size_t n; /* how many fit; the first SESSIONS_CANDIDATES_MAX stand in `sessions` */
	struct session_copy sessions[SESSIONS_CANDIDATES_MAX];
	struct belongs_nearest nearest; /* of sessions_find_own(): by what they fit */
};

/* Those whose id begins with the text (registry_session_find()).  0, negative errno. */
int sessions_find(struct sessions *s, const char *text, struct sessions_found *ret);

/*
 * Those of the caller's user that are nearest to the caller: on an ancestor, and of several there
 * the newest alone; else on the terminal, else in the directory ("" = unknown).  0, negative errno.
 */
int sessions_find_own(struct sessions *s, const struct session_caller *caller, const char *cwd,
		      struct sessions_found *ret);

/* Other active ones of the user on the same process; process->pid 0: there are none. */
int sessions_for_each_beside(struct sessions *s, uid_t uid, const struct process_id *process,
			     const char *but, session_visit visit, void *user_data);

/* --- what happens to it --- */

/*
 * Starts one for the caller: purpose, agent and cwd are given (NULL: as the kernel says), the rest
 * is filled in, but for the id, which goes to ret_id.  Its tty is
 * borrowed from the caller.  0; an enum quota_outcome of QUOTA_SESSIONS_ACTIVE; negative errno.
 */
int sessions_start(struct sessions *s, const struct session_caller *caller, struct session *session,
		   char ret_id[static SESSION_ID_MAX + 1]);

/* Ends one that has not ended, with a last note (NULL = none).  0; OUTCOME_NO when its row is gone;
 * negative errno. */
int sessions_end(struct sessions *s, const struct session_caller *caller,
		 const struct session_copy *session, const char *note);

/*
 * Adds a note to one that has not ended.  A stalled one is active again when it is its own user who
 * writes: on the shell that runs pd now.  0; OUTCOME_NO when its row is gone; negative errno.
 */
int sessions_add_note(struct sessions *s, const struct session_caller *caller,
		      const struct session_copy *session, const char *text, int64_t *ret_id,
		      bool *ret_revived);

#endif
