/* SPDX-License-Identifier: MIT */
/*
 * Names of services (`project:stack:context`), patterns over them, and the port that a name hashes
 * to.  Pure: no I/O, no allocation.
 */
#ifndef BASE_IDENTITY_H
#define BASE_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#define IDENTITY_PART_MAX 64
#define IDENTITY_USER_MAX 32 /* longer names of users stand there as their number */
#define IDENTITY_MAX	  (3 * IDENTITY_PART_MAX + 2 + 1 + IDENTITY_USER_MAX) /* without the NUL */
#define PATTERN_MAX	  256
#define LOCK_NAME_MAX	  128

#define PORT_RANGE_FIRST 3100 /* the default range, both ends included */
#define PORT_RANGE_LAST	 9999

struct port_range {
	uint16_t first, last; /* both included; first <= last, first >= 1 */
};

/*
 * Checks a name: one to three parts of [A-Za-z0-9._-]{1,64} joined by ':'.  0, or -EINVAL with a
 * sentence that names the fault in *ret_why (static storage; may be NULL).
 */
int identity_check(const char *id, const char **ret_why);

/*
 * Names belong to users: of a second user who claims one, it is stored as "shop:web@bob".  The
 * same as identity_check(), and such a name with its user is one, too.
 */
int identity_check_of_user(const char *id, const char **ret_why);

/* Digits only: a port, as people type it, and no name that is claimed. */
bool identity_is_number(const char *id);

/* The name alone, without a user.  Returns ret. */
const char *identity_bare(const char *id, char ret[static IDENTITY_MAX + 1]);

/*
 * Of two names the one that was more likely meant by `given`, as text_nearer(), but part by part:
 * shop:api is not near to shop:web.  A name alone is also near to that of a project's service.
 */
const char *identity_nearer(const char *given, const char *best, const char *candidate);

/*
 * Makes one legal part out of any text (a directory's or a branch's name): every other byte becomes
 * '-', cut to IDENTITY_PART_MAX, never empty ("x" at worst).  False where that leaves no letter and
 * no digit of it: then the part is its hash, "x-1f2e3d4c", the same wherever it is made.
 */
bool identity_part_from(const char *text, char ret[static IDENTITY_PART_MAX + 1]);

/*
 * Checks the name of a lock: 1 to LOCK_NAME_MAX characters of [A-Za-z0-9._:-], so that every
 * pattern over services can name it too; not a '-' first, which would read as an option.
 */
int lock_name_check(const char *name, const char **ret_why);

/* Checks a pattern: not empty, at most PATTERN_MAX, only identity characters, ':', '@', '*' and
 * '?'. */
int pattern_check(const char *pattern, const char **ret_why);

/* '*' is any run (also across ':'), '?' one character, everything else itself. Linear memory, no
 * exponential time on hostile patterns. */
bool pattern_match(const char *pattern, const char *id);

/* Is the service meant?  A pattern fits its name with or without the user, a name itself alone. */
bool identity_is_meant(const char *pattern, const char *id);

/* True when the text has a wildcard at all. */
bool pattern_has_wildcard(const char *pattern);

/* "A-B" with 1 <= A <= B <= 65535; 0, -EINVAL. */
int port_range_parse(const char *text, struct port_range *ret);

/*
 * The n-th candidate (n from 0) for a name: XXH64(name, seed 0) spread over the range, then each
 * next port, wrapping; every port of the range comes exactly once for n < size of the range.
 */
uint16_t port_candidate(const char *id, struct port_range range, unsigned n);

#endif
