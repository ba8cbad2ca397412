/* SPDX-License-Identifier: MIT */
#include "explain/stop_parts.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void stop_append(char *list, size_t size, const char *format, ...)
{
	size_t used = strlen(list);
	va_list args;

	va_start(args, format);
	vsnprintf(list + used, size - used, format, args);
	va_end(args);
}

struct why_remedy *stop_add(struct why_remedies *list, const char *command, const char *format, ...)
{
	struct why_remedy *new = &list->list[list->n];
	va_list args;

	for (size_t i = 0; command && *command && i < list->n; i++)
		if (!strcmp(list->list[i].command, command))
			return NULL;
	if (list->n == WHY_REMEDIES_MAX)
		return NULL;
	*new = (struct why_remedy){ .passing = true };
	va_start(args, format);
	vsnprintf(new->text, sizeof(new->text), format, args);
	va_end(args);
	/* half a command is another one */
	if (command && strlen(command) < sizeof(new->command))
		strcpy(new->command, command);
	list->n++;
	return new;
}

void stop_note_end(struct why_remedy *remedy, pid_t pid, const struct why_hits *hits)
{
	if (!remedy)
		return;
	if (remedy->n_kills < WHY_KILLS_MAX)
		remedy->kills[remedy->n_kills++] = pid;
	why_hits_add(&remedy->hits, hits);
}

void stop_say_hits(struct why_remedy *remedy)
{
	const struct why_hits *hits = remedy ? &remedy->hits : NULL;

	for (size_t i = 0; hits && i < hits->n; i++) {
		const struct why_hit *hit = &hits->list[i];

		stop_append(remedy->text, sizeof(remedy->text), "%s port%s",
			    i ? "," : "; that also ends", hit->n_ports > 1 ? "s" : "");
		for (size_t j = 0; j < hit->n_ports; j++)
			stop_append(remedy->text, sizeof(remedy->text), "%s%u", j ? ", " : " ",
				    hit->ports[j]);
		stop_append(remedy->text, sizeof(remedy->text), "%s of %s (%d)",
			    hit->more_ports ? " and more" : "", hit->comm, hit->pid);
	}
	if (hits && hits->more)
		stop_append(remedy->text, sizeof(remedy->text), " and others");
}

bool stop_is_pid1_among_holders(const struct why_facts *f)
{
	for (size_t i = 0; i < f->n_holders; i++)
		if (f->holders[i].process.id.pid == 1)
			return true;
	return false;
}
