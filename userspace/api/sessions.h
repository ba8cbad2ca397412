/* SPDX-License-Identifier: MIT */
/* Sessions: whose a request is, what they look like, and what stalls them. */
#ifndef API_SESSIONS_H
#define API_SESSIONS_H

#include "api/request.h"
#include "registry/registry.h"
#include "registry/sessions.h"

#define SESSIONS_CANDIDATES_MAX 8  /* of those that fit, in an answer that asks for one */
#define SESSIONS_SHOWN		20 /* completed ones, where not all are asked for */
#define SESSIONS_CURSOR_SIZE	(64 + SESSION_ID_MAX)
#define SESSIONS_NAMED		8  /* in the status */
#define SESSIONS_NAME_BYTES	40 /* of each there: a purpose may be a sentence */

/* A session that outlives the registry's cursor. */
struct session_copy {
	char id[SESSION_ID_MAX + 1];
	char purpose[SESSION_PURPOSE_MAX_BYTES + 1];
	enum session_status status;
	uid_t uid;
	int64_t ended_at;
	struct process_id process;
};

/*
 * The session that a request is about: the one that it names ("session", any unique beginning of
 * an id), else the one that its environment names ("environment"), else the caller's own: of the
 * nearest of its ancestors that a session stands on, else of its terminal, else of its directory
 * ("cwd": the top of its worktree).  Those members or parameters are read here.
 *
 * The caller's process and terminal come from the connection, never from the request.  Implied is
 * only what belongs to the caller's user.  0; OUTCOME_NO; OUTCOME_CONFLICT when more than one fits
 * (listed as "candidates"); OUTCOME_BAD_REQUEST; negative errno.
 */
int sessions_of_request(struct request *r, struct session_copy *ret);

/*
 * The same for what changes the session: OUTCOME_NOT_ALLOWED when it is another user's (root may),
 * OUTCOME_NO when it has ended.
 */
int sessions_to_change(struct request *r, struct session_copy *ret);

/* The process that a session of this caller stands on: the shell that ran pd.  `peer` is the
 * caller's; pid 0 = unknown. */
struct process_id sessions_process_of(const struct process *peer);

/* Describes the caller; false when it is not visible (another pid namespace) or gone. */
bool sessions_peer(const struct request *r, struct process *ret);

/* Writes an entry about a session, with who asked for it. */
int sessions_log(struct request *r, enum activity_action action, const char *session,
		 const char *details);

/* Writes a note and its entry into the open batch. */
int sessions_add_note(struct request *r, const char *session, const char *text, int64_t *ret_id);

/* A session as JSON; its directory only for who may see it. */
struct json_object *sessions_view(const struct session *s, uid_t viewer);

/* Members of the status: active, stalled, and names of active ones. */
int sessions_add_status(struct api *api, struct json_object *o);

/* --- what a session stands on (sessions_watch.c) --- */

struct session_watches;

int session_watches_new(struct api *api, struct session_watches **ret);
void session_watches_free(struct session_watches *w);

/*
 * Watches the process and terminal of an active session (again, where it was): their end stalls it.
 * What is gone already stalls it at once.  0, negative errno.
 */
int session_watch(struct session_watches *w, const char *id, uid_t uid,
		  const struct process_id *process, const char *tty);
void session_unwatch(struct session_watches *w, const char *id);

/* Watches what the registry has, and nothing else. */
void session_watches_reload(struct session_watches *w);
/* The same a while later: a batch was undone, and a session in it did not begin, end or stall. */
void session_watches_reload_later(struct session_watches *w);

#endif
