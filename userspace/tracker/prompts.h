/* SPDX-License-Identifier: MIT */
/*
 * The prompts that explain a refused call: for each shell that asked, a small file with a number
 * that grows with each refusal of its session, which a builtin of the shell reads without starting
 * a process.
 *
 *	0000000000000003 4711	how many, and the process of the last one
 *	4700 88123 1000		whose: the session's leader, its start, the user
 *
 * A daemon that has given up its rights cannot give a file to another user, and what happens on one
 * terminal is nobody else's: the files can be read by whoever knows their names, and these are 128
 * random bits, in a directory that nobody can list, told to that user alone.  They outlast the
 * daemon, so that a shell goes on with the next one.
 */
#ifndef TRACKER_PROMPTS_H
#define TRACKER_PROMPTS_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/process.h"

struct prompts;

#define PROMPTS_DIRECTORY_NAME "prompts"
#define PROMPTS_PATH_SIZE      (4096 + 64)

/*
 * In a directory, which is made there, for other users to pass through where it is `shared`; goes
 * on with the files of an earlier daemon whose shells still run.  0, negative errno.
 */
int prompts_new(const char *directory, bool shared, struct prompts **ret);
/* The files stay.  NULL is allowed. */
void prompts_free(struct prompts *p);

/*
 * The file of a session, made where there is none: of who leads it, for that user.  0; an enum
 * quota_outcome (base/quota.h, QUOTA_PROMPTS); negative errno.
 */
int prompts_file(struct prompts *p, const struct process_id *leader, uid_t uid,
		 char ret[static PROMPTS_PATH_SIZE]);

/* A call of this process was refused.  `sid`: its session, of which most are of nobody here. */
void prompts_note(struct prompts *p, pid_t sid, uid_t uid, pid_t refused);

#endif
