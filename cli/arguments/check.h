/* SPDX-License-Identifier: MIT */
/*
 * Checks of what was typed, before any daemon is asked or started.  Each returns 0, or, having said
 * in one line what is wrong and how it is done right, pd's exit code.
 */
#ifndef CLI_ARGUMENTS_CHECK_H
#define CLI_ARGUMENTS_CHECK_H

#include <stdint.h>

struct config;
struct command_line;

int check_port(const struct command_line *line, const char *text, uint16_t *ret_port);
int check_identity(const struct command_line *line, const char *id);
/* … of one that exists: "shop:web@bob" is another user's. */
int check_service(const struct command_line *line, const char *id);
/* An identity, or a pattern where it has a wildcard. */
int check_pattern(const struct command_line *line, const char *text);
/* The same, or ":PORT". */
int check_match(const struct command_line *line, const char *text);
int check_duration(const struct command_line *line, const char *option, const char *text,
		   int64_t *ret_s);
/* The same with ms and us as units. */
int check_fine_duration(const struct command_line *line, const char *option, const char *text,
			int64_t *ret_us);
/* A moment, or how long ago it was: "2h". */
int check_moment(const struct command_line *line, const char *option, const char *text, int64_t now,
		 int64_t *ret_unix);
/* A number from 1 to max. */
int check_count(const struct command_line *line, const char *option, const char *text, long max,
		long *ret);

/*
 * The nearest .portdaddyrc of a directory, with its warnings printed; NULL in *ret where there is
 * none.  The caller's: config_free().
 */
int check_config(const struct command_line *line, const char *directory, struct config **ret);

#endif
