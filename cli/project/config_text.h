/* SPDX-License-Identifier: MIT */
/*
 * The text of a configuration file and what json-c read out of it, with the places that json-c
 * does not keep: where each member stands, and which name stands twice (json-c takes the last one
 * in silence).
 */
#ifndef CLI_PROJECT_CONFIG_TEXT_H
#define CLI_PROJECT_CONFIG_TEXT_H

#include <stddef.h>

#include "base/cleanup.h"

#define CONFIG_TEXT_MAX_BYTES (1024 * 1024) /* of a file that people write by hand */

struct json_object;

struct config_text {
	const char *path; /* borrowed */
	char *text;	  /* NUL-terminated */
	size_t n;
	struct json_object *root;
	char *error; /* borrowed; one sentence goes here */
	size_t error_size;
};

/*
 * Reads a file whole: JSON with comments and trailing commas, no name twice in one object.  0, or
 * -EINVAL with one sentence in error, which names the file and, where there is one, the line and
 * the column.  To be handed to config_text_deinit() in any case.
 */
int config_text_read(const char *path, int fd, char *error, size_t size, struct config_text *ret);
void config_text_deinit(struct config_text *t);

/* The place of a member's name as "PATH: line L, column C: ", "PATH: " where it is not known (a
 * member that is null; the root).  Returns ret. */
char *config_text_place(const struct config_text *t, struct json_object *value, char *ret,
			size_t size);

/* The sentence, behind the place of a value (NULL = none), goes into t->error; -EINVAL. */
int config_text_fail(const struct config_text *t, struct json_object *value, const char *format,
		     ...) __attribute__((format(printf, 3, 4)));

#endif
