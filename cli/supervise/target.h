/* SPDX-License-Identifier: MIT */
/* What pd stop and pd wait are about, as it was typed. */
#ifndef CLI_SUPERVISE_TARGET_H
#define CLI_SUPERVISE_TARGET_H

#include <stdint.h>

#include "base/identity.h"

struct command_line;

struct target {
	char name[IDENTITY_MAX + 16];	/* for sentences: "port 3000", "shop:web" */
	char service[IDENTITY_MAX + 1]; /* "" = a port or a run was named */
	uint32_t run;			/* 0 = none was named */
	uint16_t port;			/* 0 = none was named */
};

/*
 * Reads "3000", ":3000", a run's id, or a service: in a project the name alone.  0, or, having said
 * what is wrong, pd's exit code.
 */
int target_read(const struct command_line *line, const char *text, struct target *ret);

#endif
