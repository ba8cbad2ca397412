/* SPDX-License-Identifier: MIT */
#include "view/coordination.h"

#include "base/user.h"
#include "coordination/locks.h"
#include "http/json.h"

static void add_waiter(const struct lock *wanted, int64_t since, void *user_data)
{
	struct json_object *o = json_append_object(user_data);

	json_add_text(o, "holder", wanted->holder);
	json_add_int(o, "pid", wanted->process.pid);
	json_add_text(o, "process", wanted->comm);
	json_add_text(o, "user", user_name(wanted->uid));
	json_add_int(o, "since", since);
}

struct json_object *view_lock(const struct locks *locks, const struct lock *lock, uid_t viewer)
{
	struct json_object *o = json_object_new_object();
	bool held = lock_is_held(lock);

	json_add_text(o, "name", lock->name);
	json_add_text(o, "owner", user_name(lock->owner)); /* of the machine's there is none */
	json_add_bool(o, "machine", lock->owner == LOCK_OF_MACHINE);
	json_add_bool(o, "own", lock->owner == viewer);
	json_add_bool(o, "held", held);
	json_add_text(o, "holder", lock->holder);
	json_add_known(o, "pid", held ? lock->process.pid : 0);
	json_add_text(o, "process", held ? lock->comm : NULL);
	json_add_text(o, "user", held ? user_name(lock->uid) : NULL);
	json_add_known(o, "acquiredAt", held ? lock->acquired_at : 0);
	json_add_known(o, "ttl", held ? lock->ttl_s : 0);
	json_add_known(o, "expiresAt", held ? lock->expires_at : 0);
	json_add_known(o, "fence", held ? lock->fence : 0);
	json_add_known(o, "releasedAt", lock->released_at);
	locks_for_each_waiter(locks, lock_key_of(lock), add_waiter, json_add_array(o, "waiters"));
	return o;
}

static int64_t status_since(const struct session *s)
{
	if (s->status == SESSION_COMPLETED && s->ended_at)
		return s->ended_at;
	return s->status == SESSION_STALLED && s->stalled_at ? s->stalled_at : s->started_at;
}

struct json_object *view_session(const struct session *s, uid_t viewer)
{
	struct json_object *o = json_object_new_object(), *note;

	json_add_text(o, "id", s->id);
	json_add_text(o, "purpose", s->purpose);
	json_add_text(o, "status", session_status_name(s->status));
	json_add_known(o, "since", status_since(s));
	json_add_text(o, "agent", s->agent);
	json_add_known(o, "startedAt", s->started_at);
	json_add_known(o, "endedAt", s->ended_at);
	json_add_known(o, "stalledAt", s->stalled_at);
	json_add_text(o, "user", user_name(s->uid));
	json_add_text(o, "cwd", user_may_see(viewer, s->uid) ? s->cwd : NULL);
	json_add_text(o, "tty", s->tty);
	json_add_known(o, "pid", s->process.pid);
	json_add_int(o, "notes", s->n_notes);
	note = json_add_object_if(o, "lastNote", s->n_notes);
	if (!note)
		return o;
	json_add_int(note, "at", s->last_note_at);
	json_add(note, "text", json_string(s->last_note));
	return o;
}

struct json_object *view_note(const struct note *note)
{
	struct json_object *o = json_object_new_object();

	json_add_int(o, "id", note->id);
	json_add_int(o, "at", note->timestamp);
	json_add(o, "text", json_string(note->text));
	json_add_text(o, "user", user_name(note->uid));
	json_add_known(o, "pid", note->pid);
	json_add_text(o, "comm", note->comm);
	return o;
}
