/* SPDX-License-Identifier: MIT */
#include "base/outcome.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"

static const struct outcome_row rows[] = {
	[OUTCOME_OK] = { "ok", 200, 0, "done, or yes" },
	[OUTCOME_NO] = { "not_found", 404, 1, "no: nothing found, port not free, not healthy" },
	[OUTCOME_BAD_REQUEST] = { "bad_request", 400, 2, "the request or command line is wrong" },
	[OUTCOME_NO_DAEMON] = { "no_daemon", 503, 3, "no daemon answers" },
	[OUTCOME_CONFLICT] = { "conflict", 409, 4, "the port is taken, or the lock is held" },
	[OUTCOME_NOT_ALLOWED] = { "not_allowed", 403, 5, "the caller may not change this" },
	[OUTCOME_NO_FREE_PORT] = { "no_free_port", 409, 4, "every port of the range is taken" },
	[OUTCOME_TOO_LARGE] = { "too_large", 413, 2, "a documented limit was exceeded" },
	[OUTCOME_NO_ROUTE] = { "no_route", 404, 2, "the API has no such path" },
	[OUTCOME_NO_METHOD] = { "no_method", 405, 2, "the path does not take this method" },
	[OUTCOME_NO_SPACE] = { "no_space", 507, 6, "the disk is full; nothing was changed" },
	[OUTCOME_FAILED] = { "failed", 500, 6, "failed inside" },
};
_Static_assert(ARRAY_SIZE(rows) == _OUTCOME_MAX, "every outcome has a row");

static const struct {
	int error;
	enum outcome outcome;
} errnos[] = {
	{ ENOENT, OUTCOME_NO },
	{ ESRCH, OUTCOME_NO },
	{ EINVAL, OUTCOME_BAD_REQUEST },
	{ ECONNREFUSED, OUTCOME_NO_DAEMON },
	{ EADDRINUSE, OUTCOME_CONFLICT },
	{ EEXIST, OUTCOME_CONFLICT },
	{ EACCES, OUTCOME_NOT_ALLOWED },
	{ EPERM, OUTCOME_NOT_ALLOWED },
	{ ENAMETOOLONG, OUTCOME_TOO_LARGE },
	{ E2BIG, OUTCOME_TOO_LARGE },
	{ EMSGSIZE, OUTCOME_TOO_LARGE },
	{ ENOSPC, OUTCOME_NO_SPACE },
	{ EDQUOT, OUTCOME_NO_SPACE },
};

const struct outcome_row *outcome_row(enum outcome o)
{
	if ((unsigned)o >= _OUTCOME_MAX)
		return &rows[OUTCOME_FAILED];
	return &rows[o];
}

enum outcome outcome_of_code(const char *code)
{
	for (int i = 0; i < _OUTCOME_MAX; i++)
		if (strcmp(rows[i].code, code) == 0)
			return (enum outcome)i;
	return OUTCOME_FAILED;
}

enum outcome outcome_of_errno(int error)
{
	for (size_t i = 0; i < ARRAY_SIZE(errnos); i++)
		if (errnos[i].error == -error)
			return errnos[i].outcome;
	return error == 0 ? OUTCOME_OK : OUTCOME_FAILED;
}
