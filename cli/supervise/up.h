/* SPDX-License-Identifier: MIT */
/*
 * Starts services of a project, each when all that it needs are ready, and shows what they write.
 * A service is ready when a member of its run listens on its port and, where it has a health path,
 * answers well there.  Both are told: pd sleeps until something happens, and while all run and
 * nothing is said nothing wakes it.
 *
 * What runs already is adopted: it is not started, and counts as what it is.
 */
#ifndef CLI_SUPERVISE_UP_H
#define CLI_SUPERVISE_UP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config;
struct json_object;

struct up_options {
	const struct config *config;
	const char *directory;	    /* of its file */
	struct json_object *claims; /* of each of its services, as the daemon answered */
	const bool *wanted;	    /* what they need is started as well */
	bool detach;		    /* returns when all are ready, and leaves them */
	bool keep_going;	    /* one that fails does not end the others */
	bool quiet, json;
};

/* The exit code. */
int up(const struct up_options *options);

#endif
