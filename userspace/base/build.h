/* SPDX-License-Identifier: MIT */
/*
 * Which build of the product somebody runs.  pd and the daemon tell each other, in the headers that
 * HTTP has for it (User-Agent, Server): after an upgrade the daemon is older for a while, and
 * neither fails over what the other does not know.
 */
#ifndef BASE_BUILD_H
#define BASE_BUILD_H

#include <stdbool.h>
#include <stdint.h>

#define BUILD_VERSION_SIZE 24
#define BUILD_COMMIT_SIZE  24
#define BUILD_TEXT_SIZE	   64
#define BUILD_PRODUCT_SIZE 96

#define BUILD_PROGRAM_PD     "pd"
#define BUILD_PROGRAM_DAEMON "portdaddyd"

struct build {
	char version[BUILD_VERSION_SIZE];
	char commit[BUILD_COMMIT_SIZE]; /* "" = it was not built in a repository */
	int64_t committed_at;		/* Unix seconds; 0 = unknown, -1 = before builds told it */
};

/* This program's own. */
extern const struct build build_own;

/* "0.1.0 (eb4e313)", or the version alone. */
const char *build_text(const struct build *b, char ret[BUILD_TEXT_SIZE]);

/* Our own as a product token of HTTP: "pd/0.1.0 (eb4e313; 1796000000)". */
const char *build_product(const char *program, char ret[BUILD_PRODUCT_SIZE]);
/* Reads one; false where it is another program's, or none at all. */
bool build_parse(const char *product, const char *program, struct build *ret);

bool build_is_own(const struct build *b);
/* How it compares with this program: "older", "newer", or "another" where nobody can tell. */
const char *build_age(const struct build *b);

#endif
