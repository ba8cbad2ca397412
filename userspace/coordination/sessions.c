/* SPDX-License-Identifier: MIT */
#include "coordination/sessions.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "coordination/session_watch.h"
#include "tracker/activity.h"

#define NOTE_SUMMARY_BYTES 100 /* in the activity; the whole note stands in its session */
#define ELLIPSIS	   "\xE2\x80\xA6"
#define DETAILS_SIZE	   (SESSION_PURPOSE_MAX_BYTES + 64)

struct sessions {
	struct coordination c;
	struct session_watches *watches;
};

/* --- who asks --- */

void session_caller_describe(uid_t uid, pid_t pid, int64_t now, struct session_caller *ret)
{
	*ret = (struct session_caller){ .uid = uid, .pid = pid, .now = now };
	if (!pid || procfs_describe(pid, &ret->process))
		ret->process = (struct process){ 0 };
	else if (procfs_tty(&ret->process.id, ret->tty, sizeof(ret->tty)))
		ret->tty[0] = '\0'; /* it has ended, and its terminal does not matter any more */
}

/* Programs that only stand between a shell and its command, and end with it. */
static bool is_wrapper(const char *comm)
{
	return strcmp(comm, "sudo") == 0 || strcmp(comm, "doas") == 0;
}

/* The process that a session of the caller stands on: the shell that ran pd; pid 0 = unknown. */
static struct process_id shell_of(const struct process *caller)
{
	int i = 0;

	while (i + 1 < caller->n_ancestors && is_wrapper(caller->ancestors[i].comm))
		i++;
	return caller->n_ancestors ? caller->ancestors[i].id : (struct process_id){ 0 };
}

/* --- which session is meant --- */

static bool keep(const struct session *s, void *user_data)
{
	struct sessions_found *found = user_data;
	struct session_copy *copy;

	if (found->n++ >= SESSIONS_CANDIDATES_MAX)
		return true;
	copy = &found->sessions[found->n - 1];
	*copy = (struct session_copy){ .status = s->status,
				       .uid = s->uid,
				       .started_at = s->started_at,
				       .ended_at = s->ended_at,
				       .place = s->place };
	snprintf(copy->id, sizeof(copy->id), "%s", s->id);
	snprintf(copy->purpose, sizeof(copy->purpose), "%s", s->purpose);
	return true;
}

int sessions_find(struct sessions *s, const char *text, struct sessions_found *ret)
{
	*ret = (struct sessions_found){ 0 };
	return registry_session_find(s->c.registry, text, keep, ret);
}

struct search {
	struct belongs_asker asker;
	struct sessions_found *found;
};

static bool keep_nearest(const struct session *s, void *user_data)
{
	struct search *search = user_data;
	struct sessions_found *found = search->found;
	const struct belongs_basis basis = { .process = s->same_boot ? s->process
								     : (struct process_id){ 0 },
					     .tty = s->tty,
					     .cwd = s->cwd,
					     .left = s->status != SESSION_ACTIVE };

	if (!belongs_is_nearest(&found->nearest, belongs_nearness(&search->asker, &basis)))
		return true;
	found->n = found->nearest.n - 1;
	/* whoever starts another one in the same shell goes on with that: the last one counts */
	if (found->nearest.near <= BELONGS_BY_SID) {
		bool older = found->n && s->place < found->sessions[0].place;

		found->n = older;
		if (older)
			return true;
	}
	return keep(s, found);
}

int sessions_find_own(struct sessions *s, const struct session_caller *caller, const char *cwd,
		      struct sessions_found *ret)
{
	const struct session_filter own = { .uid = caller->uid, .open = true };
	struct search search = { { &caller->process, caller->tty, cwd }, ret };

	*ret = (struct sessions_found){ .nearest.near = BELONGS_NOT };
	return registry_for_each_session(s->c.registry, &own, keep_nearest, &search);
}

struct beside {
	const struct process_id *process;
	const char *but;
	session_visit visit;
	void *user_data;
};

static bool visit_beside(const struct session *s, void *user_data)
{
	const struct beside *b = user_data;

	if (s->status != SESSION_ACTIVE || !s->same_boot ||
	    !process_id_equal(&s->process, b->process) || !strcmp(s->id, b->but))
		return true;
	return b->visit(s, b->user_data);
}

int sessions_for_each_beside(struct sessions *s, uid_t uid, const struct process_id *process,
			     const char *but, session_visit visit, void *user_data)
{
	const struct session_filter own = { .uid = uid, .open = true };
	struct beside beside = { process, but, visit, user_data };

	if (!process->pid)
		return 0;
	return registry_for_each_session(s->c.registry, &own, visit_beside, &beside);
}

/* --- what happens to it --- */

static int begin_write(struct sessions *s)
{
	int r = registry_begin(s->c.registry);

	if (!r)
		activity_commit_due(s->c.activity, true);
	return r;
}

static int write_entry(struct sessions *s, const struct session_caller *caller,
		       enum activity_action action, const char *id, const char *details)
{
	return activity_write(s->c.activity, &(struct activity){ .action = action,
								 .service = id,
								 .details = details,
								 .timestamp = caller->now,
								 .pid = caller->pid,
								 .uid = caller->uid,
								 .comm = caller->process.comm });
}

int sessions_start(struct sessions *s, const struct session_caller *caller, struct session *session,
		   char ret_id[static SESSION_ID_MAX + 1])
{
	char details[DETAILS_SIZE];
	int r = begin_write(s);

	session->started_at = caller->now;
	session->uid = caller->uid;
	session->process = shell_of(&caller->process);
	session->tty = caller->tty;
	if (!session->cwd)
		session->cwd = caller->process.cwd;
	r = r ?: registry_session_start(s->c.registry, session, ret_id);
	if (r)
		return r;
	snprintf(details, sizeof(details), "started: %s", session->purpose);
	r = write_entry(s, caller, ACTIVITY_SESSION, ret_id, details);
	return r ? r
		 : session_watch(s->watches, ret_id, session->uid, &session->process, session->tty);
}

/* The first line, cut at a character. */
static void summarize(const char *text, char *ret, size_t size)
{
	char line[NOTE_SUMMARY_BYTES + 1];
	size_t length = strcspn(text, "\n");
	bool cut = length > NOTE_SUMMARY_BYTES;

	snprintf(line, sizeof(line), "%.*s", (int)length, text);
	if (cut)
		while (*line && !text_is_utf8(line, strlen(line)))
			line[strlen(line) - 1] = '\0';
	snprintf(ret, size, "%s%s", line, cut || text[length] ? ELLIPSIS : "");
}

static int write_note(struct sessions *s, const struct session_caller *caller, const char *id,
		      const char *text, int64_t *ret_id)
{
	char summary[NOTE_SUMMARY_BYTES + sizeof(ELLIPSIS)];
	const struct note note = { .session = id,
				   .timestamp = caller->now,
				   .text = text,
				   .uid = caller->uid,
				   .pid = caller->pid,
				   .comm = caller->process.comm };
	int r = registry_note_add(s->c.registry, &note, ret_id);

	summarize(text, summary, sizeof(summary));
	return r ? r : write_entry(s, caller, ACTIVITY_NOTE, id, summary);
}

static int revive(struct sessions *s, const struct session_caller *caller,
		  const struct session_copy *session)
{
	const struct process_id shell = shell_of(&caller->process);
	char details[DETAILS_SIZE];
	int r = registry_session_revive(s->c.registry, session->id, &shell, caller->tty);

	snprintf(details, sizeof(details), "active again, on %d", shell.pid);
	r = r ?: write_entry(s, caller, ACTIVITY_SESSION, session->id, details);
	return r ? r : session_watch(s->watches, session->id, session->uid, &shell, caller->tty);
}

int sessions_add_note(struct sessions *s, const struct session_caller *caller,
		      const struct session_copy *session, const char *text, int64_t *ret_id,
		      bool *ret_revived)
{
	/* root writes into another's session and is not the one who works in it */
	bool revives = session->status == SESSION_STALLED && session->uid == caller->uid &&
		       caller->process.id.pid;
	int r = begin_write(s);

	if (!r && revives)
		r = revive(s, caller, session);
	r = r ?: write_note(s, caller, session->id, text, ret_id);
	if (!r)
		*ret_revived = revives;
	return r;
}

int sessions_end(struct sessions *s, const struct session_caller *caller,
		 const struct session_copy *session, const char *note)
{
	int r = begin_write(s);

	if (!r && note)
		r = write_note(s, caller, session->id, note, NULL);
	r = r ?: registry_session_end(s->c.registry, session->id, caller->now);
	r = r ?: write_entry(s, caller, ACTIVITY_SESSION, session->id, "ended");
	if (!r)
		session_unwatch(s->watches, session->id);
	return r;
}

/* --- lifecycle --- */

int sessions_new(const struct coordination *c, struct sessions **ret)
{
	struct sessions *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->c = *c;
	r = session_watches_new(c, &s->watches);
	if (r) {
		sessions_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

void sessions_free(struct sessions *s)
{
	if (!s)
		return;
	session_watches_free(s->watches);
	free(s);
}

void sessions_watch_all(struct sessions *s)
{
	session_watches_reload(s->watches);
}

void sessions_undone(struct sessions *s)
{
	session_watches_reload_later(s->watches);
}
