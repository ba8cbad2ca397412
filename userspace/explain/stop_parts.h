/* SPDX-License-Identifier: MIT */
/* What the files share that write remedies about processes: stop.c those that are signalled, ask.c
 * those whose manager is asked. */
#ifndef EXPLAIN_STOP_PARTS_H
#define EXPLAIN_STOP_PARTS_H

#include "base/text.h"
#include "base/user.h"
#include "explain/remedies.h"
#include "explain/template.h"

#define COMMAND_SIZE WHY_REMEDY_COMMAND_SIZE
#define PART_SIZE    512 /* of a command, before who runs it stands around it */

/* For people. */
static inline const char *stop_name_of(const struct why_holder *h)
{
	return h->known ? h->process.comm : "the process";
}

static inline const char *stop_user_of(const struct why_holder *h)
{
	return *h->user ? h->user : "another user";
}

static inline bool stop_may_end(const struct why_facts *f, const struct why_holder *h)
{
	return !h->ended && user_may_see(f->viewer, h->process.uid);
}

/* Appends to a text of that size, cut to what fits. */
void stop_append(char *text, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Adds a remedy, which is borrowed from the list; command NULL or "" = words only.  NULL where
 * there are WHY_REMEDIES_MAX already, or this command is.
 */
struct why_remedy *stop_add(struct why_remedies *list, const char *command, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The command of the remedy (NULL = none was added) ends this process, and what that serves. */
void stop_note_end(struct why_remedy *remedy, pid_t pid, const struct why_hits *hits);

/* Says in its text what was noted: "; that also ends port 3001 of node (4711)". */
void stop_say_hits(struct why_remedy *remedy);

/*
 * The command as the viewer has to run it for the engine of the holder: root's by sudo, a user's as
 * that user.  False where no command can name that user.
 */
bool stop_run_by_engine(const struct why_facts *f, const struct why_holder *h, const char *command,
			char ret[static COMMAND_SIZE]);

bool stop_is_pid1_among_holders(const struct why_facts *f);

/* Asks whoever is behind the holder to stop it; false = nobody is. */
bool stop_by_manager(const struct why_facts *f, const struct why_holder *h,
		     struct why_remedies *list);

#endif
