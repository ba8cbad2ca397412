/* SPDX-License-Identifier: MIT */
/*
 * Every answer that the product documents, in one table: what the API sends as HTTP status and
 * error code, and what `pd` exits with.  Functions return 0 for done, a negative errno for the
 * unexpected, and one of these (all positive) for an answer that callers are meant to handle.
 */
#ifndef BASE_OUTCOME_H
#define BASE_OUTCOME_H

enum outcome {
	OUTCOME_OK = 0,
	OUTCOME_NO,	      /* a plain "no": nothing found, port not free, not healthy */
	OUTCOME_BAD_REQUEST,  /* the request or the command line is wrong */
	OUTCOME_NO_DAEMON,    /* nobody answers on any socket (command line only) */
	OUTCOME_CONFLICT,     /* the port is taken, the lock is held */
	OUTCOME_NOT_ALLOWED,  /* the caller may not change this */
	OUTCOME_NO_FREE_PORT, /* every port of the range is taken */
	OUTCOME_TOO_LARGE,    /* a named limit was exceeded */
	OUTCOME_NO_ROUTE,     /* no such path in the API */
	OUTCOME_NO_METHOD,    /* the path exists, the method does not */
	OUTCOME_NO_SPACE,     /* the disk is full: nothing was changed */
	OUTCOME_FAILED,	      /* failed inside */
	_OUTCOME_MAX
};

struct outcome_row {
	const char *code; /* stable string of the JSON error, e.g. "conflict" */
	int http;	  /* HTTP status */
	int exit_code;	  /* of pd; see the contract: 0 1 2 3 4 5 6 */
	const char *help; /* one line for the manual */
};

/* The row of an outcome; static storage, never NULL (unknown values get OUTCOME_FAILED's row). */
const struct outcome_row *outcome_row(enum outcome o);

/* The outcome of a stable code string; OUTCOME_FAILED for a string that is in no row. */
enum outcome outcome_of_code(const char *code);

/* The outcome that stands for a negative errno (-ENOSPC, -EACCES, …; else OUTCOME_FAILED). */
enum outcome outcome_of_errno(int error);

#endif
