/* SPDX-License-Identifier: MIT */
/* What the files that write remedies share.  A command is correct as it stands, or it is absent. */
#ifndef EXPLAIN_REMEDIES_H
#define EXPLAIN_REMEDIES_H

#include <stdbool.h>
#include <stddef.h>

#include "explain/explain.h"

#define REMEDY_COMMAND_SIZE 512

/* Appends text and command, unless there are WHY_REMEDIES_MAX already; command NULL = words only.
 */
void remedy_add(struct why_remedies *list, const char *command, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* "sudo " where the asker is not root. */
const char *remedy_sudo(const struct why_facts *f);

/* A path or name that a shell takes as one word without quotes. */
bool remedy_is_plain_word(const char *s);

/*
 * A command that acts in the namespace that is asked about, entered first where that is another
 * one; with sudo where that, or the command itself (`root`), needs it.  ret: REMEDY_COMMAND_SIZE
 * bytes.  Returns ret; NULL where no way into the namespace is known.
 */
const char *remedy_there(const struct why_facts *f, bool root, char *ret, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Steps of the table in why_remedies.c that act on processes (why_stop.c). */

/* Everybody who holds it lets go: by their manager where one would start them again. */
void remedy_stop(const struct why_facts *f, struct why_remedies *list);
/* The same; where nobody was found, how to look further. */
void remedy_stop_or_show(const struct why_facts *f, struct why_remedies *list);
void remedy_show_hidden(const struct why_facts *f, struct why_remedies *list);
void remedy_resume(const struct why_facts *f, struct why_remedies *list);
void remedy_thaw(const struct why_facts *f, struct why_remedies *list);
void remedy_detach(const struct why_facts *f, struct why_remedies *list);

#endif
