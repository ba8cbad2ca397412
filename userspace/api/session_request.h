/* SPDX-License-Identifier: MIT */
/* Whose a request about sessions is, and which session it means. */
#ifndef API_SESSION_REQUEST_H
#define API_SESSION_REQUEST_H

#include "coordination/sessions.h"
#include "http/request.h"

/* Who asks: process and terminal come from the connection, never from the request. */
void session_request_caller(const struct request *r, struct session_caller *ret);

/* A text member of at most so many bytes; NULL in *ret when missing.  0, OUTCOME_BAD_REQUEST,
 * OUTCOME_TOO_LARGE. */
int session_request_text(struct request *r, const char *name, size_t max_bytes, const char **ret);

/*
 * The session that a request is about: the one that it names ("session", any unique beginning of
 * an id), else the one that its environment names ("environment"), else the caller's own: of the
 * nearest of its ancestors that a session stands on, else of its terminal, else of its directory
 * ("cwd": the top of its worktree).  Those members or parameters are read here.
 *
 * Implied is only what belongs to the caller's user.  0; OUTCOME_NO; OUTCOME_CONFLICT when more
 * than one fits (listed as "candidates"); OUTCOME_BAD_REQUEST; negative errno.
 */
int session_request_find(struct request *r, const struct session_caller *caller,
			 struct session_copy *ret);

/*
 * The same for what changes the session: OUTCOME_NOT_ALLOWED when it is another user's (root may),
 * OUTCOME_NO when it has ended.
 */
int session_request_find_to_change(struct request *r, const struct session_caller *caller,
				   struct session_copy *ret);

#endif
