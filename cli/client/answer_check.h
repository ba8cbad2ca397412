/* SPDX-License-Identifier: MIT */
/*
 * What scripts read, and a shell evaluates, is checked against its grammar before it is printed.
 *
 * A daemon answers whoever may connect, and it may be anybody's: root's pd asks the daemon of the
 * user behind sudo.  On a terminal every text is escaped (render.h); this is for the members that a
 * command prints as they are with -q, --export or -j, and for what it puts into an environment.
 */
#ifndef CLI_CLIENT_ANSWER_CHECK_H
#define CLI_CLIENT_ANSWER_CHECK_H

#include <stdbool.h>
#include <stddef.h>

struct json_object;

enum answer_kind {
	ANSWER_PORT,	/* 1 to 65535 */
	ANSWER_COUNT,	/* a whole number from 0 on */
	ANSWER_FENCE,	/* a whole number from 1 on */
	ANSWER_SERVICE, /* an identity, which may have its owner behind it: shop:web@anna */
	ANSWER_LOCK,	/* the name of a lock */
	ANSWER_SESSION, /* the id of a session */
	ANSWER_WORD,	/* "http_error": a letter, then letters, digits, '_' and '-' */
	_ANSWER_KIND_MAX
};

/* Every element of `list`, or the answer itself where that is NULL, has a member of that kind. */
struct answer_rule {
	const char *list, *key;
	enum answer_kind kind;
};

/*
 * 0, or pd's exit code, having said which member is missing or is none.  A list that is missing is
 * empty.
 */
int answer_check(bool json, struct json_object *answer, const struct answer_rule *rules, size_t n);

#endif
