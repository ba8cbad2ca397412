/* SPDX-License-Identifier: MIT */
/*
 * Remedies that act on processes.  What may not act on a signal yet (stopped, frozen) is let go in
 * the same command, since the signal waits until then.
 */
#include "explain/stop_parts.h"

#include <stdio.h>
#include <string.h>

#include "base/moment.h"

/* What a server that ends at SIGTERM may take for what it is still at. */
#define TERM_PATIENCE_S 3

/* --- everybody ------------------------------------------------------------------------------- */

static void ask_its_user(const struct why_holder *h, struct why_remedies *list)
{
	char command[32];
	struct why_remedy *new;

	if (h->started_by_viewer) {
		snprintf(command, sizeof(command), "sudo kill %d", h->process.id.pid);
		new = stop_add(list, command, "stop %s (%d), which you started as root",
			       stop_name_of(h), h->process.id.pid);
		stop_note_end(new, h->process.id.pid, &h->hits);
		stop_say_hits(new);
		return;
	}
	stop_add(list, NULL, "%s (pid %d) is %s's: ask them to stop it", stop_name_of(h),
		 h->process.id.pid, stop_user_of(h));
}

/* Those that are killed together, and what they need before the signal reaches them. */
struct killing {
	const struct why_holder *list[WHY_ENDED_MAX];
	size_t n;
	bool stopped, ignores_term, catches_term;
	int64_t asked_at; /* the first unanswered SIGTERM of one of them; 0 = none was seen */
	const struct why_holder *frozen; /* NULL = none is */
};

static void add_process(struct killing *k, const struct why_holder *h)
{
	k->stopped |= h->state == 'T';
	k->ignores_term |= h->ignores_term;
	k->catches_term |= h->catches_term;
	if (h->process.asked_to_end_at &&
	    (!k->asked_at || h->process.asked_to_end_at < k->asked_at))
		k->asked_at = h->process.asked_to_end_at;
	if (h->freezer)
		k->frozen = h;
	k->list[k->n++] = h;
}

/* The command that thaws its cgroup; "" where there is none.  Returns ret. */
static char *thaw_command(const struct why_facts *f, const struct why_holder *h, char *ret)
{
	char file[PART_SIZE];

	ret[0] = '\0';
	if (h->freezer && text_shell_quote(h->freezer, file, sizeof(file)))
		snprintf(ret, COMMAND_SIZE,
			 *file == '\'' ? "echo %s | %stee %s" : "echo %s | %stee '%s'", h->thaw,
			 why_sudo(f), file);
	return ret;
}

static void append_pids(const struct killing *k, bool stopped_only, char *command)
{
	for (size_t i = 0; i < k->n; i++)
		if (!stopped_only || k->list[i]->state == 'T')
			stop_append(command, COMMAND_SIZE, " %d", k->list[i]->process.id.pid);
}

/* "node (4711), node (4712)" */
static void name_all(const struct killing *k, char *ret, size_t size)
{
	*ret = '\0';
	for (size_t i = 0; i < k->n; i++)
		stop_append(ret, size, "%s%s (%d)", i ? ", " : "", stop_name_of(k->list[i]),
			    k->list[i]->process.id.pid);
}

/* Since when SIGTERM waits for an answer; -1: nobody was seen to send it.  What cannot act on a
 * signal yet has not had its chance. */
static int64_t waited_s(const struct why_facts *f, const struct killing *k)
{
	if (!k->asked_at || k->stopped || k->frozen || k->ignores_term)
		return -1;
	return f->now > k->asked_at ? f->now - k->asked_at : 0;
}

/* Why only SIGKILL is left: "" where SIGTERM may do.  What had no effect is not advised again. */
static void describe_force(const struct why_facts *f, const struct killing *k, char *ret,
			   size_t size)
{
	char age[16];

	ret[0] = '\0';
	if (k->ignores_term)
		snprintf(ret, size, ", which ignores SIGTERM: what it has not saved is lost");
	else if (waited_s(f, k) >= TERM_PATIENCE_S)
		snprintf(ret, size,
			 ", which was sent SIGTERM %s ago and has not ended: what it has not saved "
			 "is lost",
			 duration_format_short(waited_s(f, k), age));
}

/* It was asked to end a moment ago. */
static void add_patience(const struct why_facts *f, const struct killing *k, const char *names,
			 struct why_remedies *list)
{
	char pids[PART_SIZE] = "", age[16];

	append_pids(k, false, pids);
	stop_add(list, NULL,
		 "wait: %s was sent SIGTERM %s ago; what is still there %d seconds after it needs "
		 "kill -KILL%s, which loses what it has not saved",
		 names, duration_format_ago(waited_s(f, k), age), TERM_PATIENCE_S, pids);
}

static void add_killing(const struct why_facts *f, const struct killing *k,
			struct why_remedies *list)
{
	char command[COMMAND_SIZE], thaw[COMMAND_SIZE], names[PART_SIZE], force[PART_SIZE];
	struct why_remedy *new;

	name_all(k, names, sizeof(names));
	describe_force(f, k, force, sizeof(force));
	if (!*force && waited_s(f, k) >= 0) {
		add_patience(f, k, names, list);
		return;
	}
	snprintf(command, sizeof(command), *force ? "kill -KILL" : "kill");
	append_pids(k, false, command);
	if (k->stopped) {
		stop_append(command, sizeof(command), " && kill -CONT");
		append_pids(k, true, command);
	}
	if (k->frozen && *thaw_command(f, k->frozen, thaw))
		stop_append(command, sizeof(command), " && %s", thaw);
	new = stop_add(list, command, "%sstop %s%s%s", k->stopped || k->frozen ? "or " : "", names,
		       k->stopped || k->frozen ? " for good" : "", force);
	for (size_t i = 0; i < k->n; i++)
		stop_note_end(new, k->list[i]->process.id.pid, &k->list[i]->hits);
	stop_say_hits(new);
	if (new && k->catches_term && !*force)
		stop_append(
			new->text, sizeof(new->text),
			"; it may take its time to end, or never do: then kill -KILL, which loses "
			"what it has not saved");
}

void remedy_stop(const struct why_facts *f, struct why_remedies *list)
{
	struct killing k = { .n = 0 };

	for (size_t i = 0; i < f->n_holders && k.n < WHY_ENDED_MAX; i++) {
		const struct why_holder *h = &f->holders[i];

		if (h->ended || h->process.id.pid == 1 || stop_by_manager(f, h, list))
			continue;
		if (stop_may_end(f, h))
			add_process(&k, h);
		else
			ask_its_user(h, list);
	}
	if (k.n)
		add_killing(f, &k, list);
	else if (f->n_holders == 1 && stop_is_pid1_among_holders(f))
		stop_add(list, "systemctl list-sockets",
			 "systemd itself listens for a service: find its .socket unit, and stop "
			 "that");
}

void remedy_resume(const struct why_facts *f, struct why_remedies *list)
{
	char command[COMMAND_SIZE] = "kill -CONT";
	size_t n = 0;

	for (size_t i = 0; i < f->n_holders && n < WHY_ENDED_MAX; i++) {
		const struct why_holder *h = &f->holders[i];

		if (h->state != 'T' || !stop_may_end(f, h))
			continue;
		stop_append(command, sizeof(command), " %d", h->process.id.pid);
		n++;
	}
	if (n)
		stop_add(list, command,
			 "let it go on (or fg in its shell): it answers again, and keeps the "
			 "port");
}

void remedy_thaw(const struct why_facts *f, struct why_remedies *list)
{
	const struct why_holder *h = f->n_holders ? &f->holders[0] : NULL;
	char part[PART_SIZE], command[COMMAND_SIZE] = "";

	if (!h || h->ended)
		return;
	if (h->cgroup.engine && strcmp(h->cgroup.engine, "crictl") != 0) {
		snprintf(part, sizeof(part), "%s unpause %s", h->cgroup.engine,
			 h->cgroup.container);
		stop_run_by_engine(f, h, part, command);
	} else if (text_is_shell_word(h->cgroup.unit) && !h->cgroup.of_user)
		snprintf(command, sizeof(command), "%ssystemctl thaw %s", why_sudo(f),
			 h->cgroup.unit);
	else
		thaw_command(f, h, command);
	stop_add(list, command, "thaw it: it answers again, and keeps the port");
}

/* SIGKILL alone reaches a process past its debugger. */
void remedy_detach(const struct why_facts *f, struct why_remedies *list)
{
	const struct why_holder *h = f->n_holders == 1 ? &f->holders[0] : NULL;
	char command[COMMAND_SIZE];
	struct why_remedy *new;

	if (f->tracer)
		stop_add(list, NULL, "let it go in its debugger (pid %d), or quit that", f->tracer);
	else
		stop_add(list, NULL, "let it go in its debugger, or quit that");
	if (!h || !stop_may_end(f, h))
		return;
	snprintf(command, sizeof(command), "kill -KILL %d", h->process.id.pid);
	new = stop_add(list, command, "end %s, whatever its debugger is at", stop_name_of(h));
	stop_note_end(new, h->process.id.pid, &h->hits);
	stop_say_hits(new);
}
