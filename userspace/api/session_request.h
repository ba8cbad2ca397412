/* SPDX-License-Identifier: MIT */
/* Whose a request about sessions is, and which session it means. */
#ifndef API_SESSION_REQUEST_H
#define API_SESSION_REQUEST_H

#include "coordination/sessions.h"
#include "http/request.h"

/* Who asks: process and terminal come from the connection, never from the request. */
void session_request_caller(const struct request *r, struct session_caller *ret);

/* A text of a body that may not be blank: as missing, it is refused with p->missing. */
param_read session_text_read;

/* How a request names a session; what is empty (of an empty variable) is not given. */
struct session_ref {
	const char *session, *environment, *cwd;
};
#define PARAM_SESSION(type, member)                                  \
	PARAM_TEXT("session", type, member.session),                 \
		PARAM_TEXT("environment", type, member.environment), \
		PARAM_TEXT("cwd", type, member.cwd)

/*
 * The session that a request is about: the one that it names ("session", any unique beginning of
 * an id), else the one that its environment names ("environment"), else the caller's own: of the
 * nearest of its ancestors that a session stands on, else of its terminal, else of its directory
 * ("cwd": the top of its worktree).
 *
 * Implied is only what belongs to the caller's user.  0; OUTCOME_NO; OUTCOME_CONFLICT when more
 * than one fits (listed as "candidates"); OUTCOME_BAD_REQUEST; negative errno.
 */
int session_request_find(struct request *r, const struct session_ref *ref,
			 const struct session_caller *caller, struct session_copy *ret);

/*
 * The same for what changes the session, with its caller, and opens the batch:
 * OUTCOME_NOT_ALLOWED when it is another user's (root may), OUTCOME_NO when it has ended.
 */
int session_request_change(struct request *r, const struct session_ref *ref,
			   struct session_caller *ret_caller, struct session_copy *ret);

#endif
