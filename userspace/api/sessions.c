/* SPDX-License-Identifier: MIT */
/* /v1/sessions: start, end, list. */
#include "api/sessions.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "api/page.h"
#include "api/routes.h"
#include "api/server.h"
#include "api/view.h"
#include "base/moment.h"
#include "base/procfs.h"
#include "base/text.h"

#define DETAILS_SIZE (SESSION_PURPOSE_MAX_BYTES + 64)

/* --- the caller --- */

bool sessions_peer(const struct request *r, struct process *ret)
{
	return r->pid && procfs_describe(r->pid, ret) == 0;
}

/* Programs that only stand between a shell and its command, and end with it. */
static bool is_wrapper(const char *comm)
{
	return strcmp(comm, "sudo") == 0 || strcmp(comm, "doas") == 0;
}

struct process_id sessions_process_of(const struct process *peer)
{
	int i = 0;

	while (i + 1 < peer->n_ancestors && is_wrapper(peer->ancestors[i].comm))
		i++;
	return peer->n_ancestors ? peer->ancestors[i].id : (struct process_id){ 0 };
}

int sessions_log(struct request *r, enum activity_action action, const char *session,
		 const char *details)
{
	struct process peer;

	return request_log(r, action, session, 0, sessions_peer(r, &peer) ? peer.comm : "",
			   details);
}

/* --- POST /v1/sessions --- */

static int parse_text(struct request *r, const char *name, size_t max_bytes, const char **ret)
{
	int fault = request_member_text(r, name, ret);

	if (fault || !*ret)
		return fault;
	if (strlen(*ret) > max_bytes)
		return request_fail(r, OUTCOME_TOO_LARGE,
				    "the %s is %zu bytes long; at most %zu are kept", name,
				    strlen(*ret), max_bytes);
	return 0;
}

static int parse_start(struct request *r, struct session *s)
{
	int fault = parse_text(r, "purpose", SESSION_PURPOSE_MAX_BYTES, &s->purpose);

	if (!fault)
		fault = parse_text(r, "agent", SESSION_AGENT_MAX_BYTES, &s->agent);
	if (!fault)
		fault = parse_text(r, "cwd", PATH_MAX - 1, &s->cwd);
	if (fault)
		return fault;
	if (!s->purpose || session_text_is_blank(s->purpose))
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "\"purpose\" is missing; write one like \"Building checkout "
				    "UI\"");
	if (s->cwd && *s->cwd != '/')
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "cwd \"%.64s\" is not an absolute path; write it like "
				    "/home/me/app",
				    s->cwd);
	return 0;
}

struct others {
	const struct session *of;
	const char *but; /* its id */
	struct json_object *ids;
};

static bool add_other(const struct session *s, void *user_data)
{
	const struct others *others = user_data;

	if (s->status == SESSION_ACTIVE && s->same_boot && others->of->process.pid &&
	    process_id_equal(&s->process, &others->of->process) && strcmp(s->id, others->but))
		json_append(others->ids, json_text(s->id));
	return true;
}

/* The new session, and other active ones on the same shell: from now on they must be named. */
static int answer_start(struct request *r, const struct session *s, const char *id)
{
	const struct session_filter mine = { .uid = r->uid, .open = true };
	struct others others = { .of = s, .but = id };

	request_subject(r, id);
	json_add_text(r->answer, "id", id);
	json_add_text(r->answer, "purpose", s->purpose);
	json_add_text(r->answer, "agent", s->agent);
	json_add_int(r->answer, "startedAt", s->started_at);
	json_add_known(r->answer, "pid", s->process.pid);
	others.ids = json_add_array(r->answer, "others");
	return registry_for_each_session(r->api->config.registry, &mine, add_other, &others);
}

static int write_start(struct request *r, const struct session *s, char *ret_id)
{
	char details[DETAILS_SIZE], refusal[QUOTA_REFUSAL_SIZE];
	int fault = request_begin_write(r);

	if (!fault)
		fault = registry_session_start(r->api->config.registry, s, ret_id);
	if (fault > 0)
		return request_fail(r, OUTCOME_CONFLICT, "%s",
				    quota_refusal(QUOTA_SESSIONS_ACTIVE, (enum quota_outcome)fault,
						  refusal, sizeof(refusal)));
	if (fault)
		return fault;
	snprintf(details, sizeof(details), "started: %s", s->purpose);
	return sessions_log(r, ACTIVITY_SESSION, ret_id, details);
}

int sessions_post(struct request *r)
{
	struct session s = { .started_at = r->now, .uid = r->uid };
	char tty[PROCFS_TTY_SIZE] = "", id[SESSION_ID_MAX + 1];
	struct process peer;
	int fault = parse_start(r, &s);

	if (fault)
		return fault;
	if (sessions_peer(r, &peer)) {
		s.process = sessions_process_of(&peer);
		s.cwd = s.cwd ? s.cwd : peer.cwd;
		if (procfs_tty(&peer.id, tty, sizeof(tty)))
			tty[0] = '\0';
	}
	s.tty = tty;
	fault = write_start(r, &s, id);
	if (!fault)
		fault = answer_start(r, &s, id);
	return fault ? fault : session_watch(r->api->sessions, id, s.uid, &s.process, tty);
}

/* --- POST /v1/sessions/end --- */

static bool copy_started(const struct session *s, void *user_data)
{
	*(int64_t *)user_data = s->started_at;
	return false;
}

int sessions_end_post(struct request *r)
{
	struct registry *registry = r->api->config.registry;
	struct session_copy s;
	const char *note;
	int64_t started_at = 0;
	int fault = parse_text(r, "note", NOTE_MAX_BYTES, &note);

	if (!fault)
		fault = sessions_to_change(r, &s);
	if (!fault)
		fault = registry_session_find(registry, s.id, copy_started, &started_at);
	if (!fault)
		fault = request_begin_write(r);
	if (!fault)
		fault = note ? sessions_add_note(r, s.id, note, NULL) : 0;
	if (!fault)
		fault = registry_session_end(registry, s.id, r->now);
	if (!fault)
		fault = sessions_log(r, ACTIVITY_SESSION, s.id, "ended");
	if (fault)
		return fault;
	session_unwatch(r->api->sessions, s.id);
	json_add_text(r->answer, "id", s.id);
	json_add_text(r->answer, "purpose", s.purpose);
	json_add_known(r->answer, "startedAt", started_at);
	json_add_int(r->answer, "endedAt", r->now);
	return 0;
}

/* --- GET /v1/sessions --- */

static int64_t status_since(const struct session *s)
{
	if (s->status == SESSION_COMPLETED && s->ended_at)
		return s->ended_at;
	return s->status == SESSION_STALLED && s->stalled_at ? s->stalled_at : s->started_at;
}

struct json_object *sessions_view(const struct session *s, uid_t viewer)
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
	if (!s->n_notes) {
		json_add(o, "lastNote", NULL);
		return o;
	}
	note = json_add_object(o, "lastNote");
	json_add_int(note, "at", s->last_note_at);
	json_add(note, "text", json_object_new_string(s->last_note));
	return o;
}

struct listing {
	struct request *r;
	struct page page;
	char last[SESSIONS_CURSOR_SIZE];
	bool more;
	int fault;
};

/*
 * Where a session stands in the list: open ones first, by their begin; then those that are over,
 * the newest before.  As text that sorts so.
 */
static void place_of(const struct session *s, char ret[SESSIONS_CURSOR_SIZE])
{
	bool over = s->status == SESSION_COMPLETED;
	int64_t since = s->ended_at ? s->ended_at : s->stalled_at ? s->stalled_at : s->started_at;

	snprintf(ret, SESSIONS_CURSOR_SIZE, "%d.%020" PRId64 ".%020" PRId64 ".%s", over,
		 over ? INT64_MAX - since : 0, over ? INT64_MAX - s->started_at : s->started_at,
		 s->id);
}

static bool list_session(const struct session *s, void *user_data)
{
	struct listing *listing = user_data;
	char place[SESSIONS_CURSOR_SIZE];

	place_of(s, place);
	if (listing->page.after && strcmp(place, listing->page.after) <= 0)
		return true;
	listing->more = page_is_full(listing->r, &listing->page);
	if (listing->more)
		return false;
	memcpy(listing->last, place, sizeof(place));
	listing->fault = written_list_add(listing->r, sessions_view(s, listing->r->uid));
	return !listing->fault;
}

int sessions_get(struct request *r)
{
	const char *all = request_param(r, "all");
	struct session_filter filter = { .uid = PROCESS_UID_UNKNOWN, .limit = SESSIONS_SHOWN };
	struct listing listing = { .r = r };
	int64_t counts[_SESSION_STATUS_MAX];
	int fault = page_parse(r, PAGE_MAX_ROWS, &listing.page);

	if (fault)
		return fault;
	if (all && strcmp(all, "1") != 0)
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "all \"%.16s\" cannot be read; write all=1", all);
	if (all)
		filter.limit = 0;
	fault = registry_count_sessions(r->api->config.registry, counts);
	if (fault)
		return fault;
	for (int s = 0; s < _SESSION_STATUS_MAX; s++)
		json_add_int(r->answer, session_status_name((enum session_status)s), counts[s]);
	fault = written_list_begin(r, "sessions");
	if (!fault)
		fault = registry_for_each_session(r->api->config.registry, &filter, list_session,
						  &listing);
	if (!fault)
		fault = listing.fault ? listing.fault : written_list_end(r);
	return fault ? fault : page_end(r, listing.more ? listing.last : NULL);
}

/* --- the status --- */

static bool add_name(const struct session *s, void *user_data)
{
	const char *name = *s->agent ? s->agent : *s->purpose ? s->purpose : s->id;
	struct json_object *names = user_data;
	char text[SESSIONS_NAME_BYTES + 1];

	if (s->status == SESSION_ACTIVE)
		json_append(names, json_text(text_to_utf8(name, text, sizeof(text))));
	return json_object_array_length(names) < SESSIONS_NAMED;
}

int sessions_add_status(struct api *api, struct json_object *o)
{
	static const struct session_filter open = { .uid = PROCESS_UID_UNKNOWN, .open = true };
	int64_t counts[_SESSION_STATUS_MAX] = { 0 };
	int fault = registry_count_sessions(api->config.registry, counts);

	if (fault)
		return fault;
	json_add_int(o, "active", counts[SESSION_ACTIVE]);
	json_add_int(o, "stalled", counts[SESSION_STALLED]);
	return registry_for_each_session(api->config.registry, &open, add_name,
					 json_add_array(o, "names"));
}
