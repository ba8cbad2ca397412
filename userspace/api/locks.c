/* SPDX-License-Identifier: MIT */
/*
 * /v1/locks and /v1/unlocks.  A name belongs to the user who asks, as the kernel says; with
 * "machine" it is the one of everybody.  Whose a lock is, is never what the body says: it belongs
 * to the process that connected ("owner": "caller") or to the one that started it ("parent"), both
 * as the kernel names them.  The holder is a label for people.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "api/lock_keeper.h"
#include "api/lock_names.h"
#include "api/lock_view.h"
#include "api/routes.h"
#include "api/server.h"
#include "api/view.h"
#include "base/moment.h"
#include "base/procfs.h"
#include "base/text.h"
#include "reconcile/belongs.h"

#define DETAILS_SIZE 512
#define WAIT_FOREVER "forever"

/* --- who asks --- */

struct asker {
	struct process peer, owner;
	const char *cwd;       /* "" = unknown */
	const char *holder;    /* the name that was asked for; NULL = none */
	const char *on_behalf; /* the session or service that the asker works for; NULL = none */
	const char *program;   /* what it runs, where that says more than its own name; or NULL */
};

static int refuse_parent(struct request *r)
{
	return request_fail(r, OUTCOME_BAD_REQUEST,
			    "whoever ran pd has ended: nobody would hold the lock");
}

/*
 * An orphan's parent is init or another reaper, whose the lock would be for ever.  It is told by
 * its session, which a child shares with the parent that started it, unless it leads one itself.
 */
static int find_parent(struct request *r, struct asker *a)
{
	if (!a->peer.n_ancestors || procfs_describe(a->peer.ancestors[0].id.pid, &a->owner) ||
	    !process_id_equal(&a->owner.id, &a->peer.ancestors[0].id))
		return refuse_parent(r);
	if (a->owner.sid != a->peer.sid && a->peer.sid != a->peer.id.pid)
		return refuse_parent(r);
	return 0;
}

static int parse_owner(struct request *r, struct asker *a)
{
	const char *owner;
	int fault = request_member_text(r, "owner", &owner);

	if (fault)
		return fault;
	if (owner && strcmp(owner, "caller") != 0 && strcmp(owner, "parent") != 0)
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "owner \"%.32s\" is neither \"caller\" nor \"parent\"", owner);
	if (!r->pid || procfs_describe(r->pid, &a->peer))
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "the daemon does not see your process (it lives in another pid "
				    "namespace, or has ended): nobody would hold the lock");
	if (owner && strcmp(owner, "parent") == 0)
		return find_parent(r, a);
	a->owner = a->peer;
	return 0;
}

static int parse_cwd(struct request *r, struct asker *a)
{
	int fault = request_member_text(r, "cwd", &a->cwd);

	if (fault)
		return fault;
	if (a->cwd && (*a->cwd != '/' || strlen(a->cwd) >= PATH_MAX))
		return request_fail(
			r, OUTCOME_BAD_REQUEST,
			"cwd \"%.64s\" is not an absolute path; write it like /home/me/app",
			a->cwd);
	if (!a->cwd)
		a->cwd = a->peer.cwd;
	return 0;
}

static int parse_label(struct request *r, const char *member, const char **ret)
{
	int fault = request_member_text(r, member, ret);

	if (fault || !*ret)
		return fault;
	if (!**ret || strlen(*ret) > LOCK_HOLDER_MAX)
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "a holder's name has 1 to %d bytes; write one like myapp:web",
				    LOCK_HOLDER_MAX);
	for (const char *c = *ret; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return request_fail(r, OUTCOME_BAD_REQUEST,
					    "a holder's name has no control characters; write one "
					    "like myapp:web");
	return 0;
}

static int parse_asker(struct request *r, struct asker *ret)
{
	int fault;

	memset(ret, 0, sizeof(*ret));
	fault = parse_owner(r, ret);
	if (!fault)
		fault = parse_cwd(r, ret);
	if (!fault)
		fault = parse_label(r, "holder", &ret->holder);
	if (!fault)
		fault = parse_label(r, "onBehalf", &ret->on_behalf);
	return fault ? fault : request_member_text(r, "program", &ret->program);
}

static int check_name(struct request *r, const char *name)
{
	const char *why;

	if (!name)
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "\"name\" is missing; write one like \"db-migrations\"");
	if (lock_name_check(name, &why))
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "lock \"%.64s\" cannot be used: %s; write one like "
				    "db-migrations",
				    name, why);
	return 0;
}

/* --- the holder's name --- */

struct search {
	struct belongs_asker asker;
	uid_t uid;
	struct belongs_nearest nearest;
	char id[IDENTITY_MAX + 1];
};

static bool consider(const struct service *s, void *user_data)
{
	struct search *search = user_data;
	struct belongs_basis basis = { .tty = "", .cwd = s->cwd };

	if (s->same_boot) {
		basis.process = s->claimer;
		basis.sid = s->sid;
	}
	if (s->uid == search->uid &&
	    belongs_is_nearest(&search->nearest, belongs_nearness(&search->asker, &basis)))
		snprintf(search->id, sizeof(search->id), "%s", s->id);
	return true;
}

/*
 * The service whose claim comes from the asker's shell or from whoever started that, the nearest
 * first, else from its session, else from its directory.  Where several are equally near it is none
 * of them: not guessed.
 */
static int service_of(struct request *r, const struct asker *a, char ret[IDENTITY_MAX + 1])
{
	const struct service_filter all = { .status = -1 };
	struct search search = { .asker = { &a->peer, "", a->cwd },
				 .uid = r->uid,
				 .nearest.near = BELONGS_NOT };
	int fault = registry_for_each_service(r->api->config.registry, &all, consider, &search);

	strcpy(ret, search.nearest.n == 1 ? search.id : "");
	return fault;
}

static int find_holder(struct request *r, const struct asker *a, char ret[LOCK_HOLDER_MAX + 1])
{
	const char *given = a->holder ? a->holder : a->on_behalf;
	char program[IDENTITY_PART_MAX + 1];
	int fault;

	if (given) {
		strcpy(ret, given);
		return 0;
	}
	fault = service_of(r, a, ret);
	if (fault || *ret)
		return fault;
	identity_part_from(a->program ? a->program : a->owner.comm, program);
	snprintf(ret, LOCK_HOLDER_MAX + 1, "%s:%s", user_name(r->uid), program);
	return 0;
}

/* --- POST /v1/locks --- */

static int parse_duration(struct request *r, const char *name, const char *text, int64_t *ret)
{
	size_t at = 0;

	if (!duration_parse(text, ret, &at))
		return 0;
	return request_fail(r, OUTCOME_BAD_REQUEST,
			    "%s \"%.64s\" is no duration (see character %zu); write it like 45s, "
			    "30m, 2h30m or 1d",
			    name, text, at + 1);
}

static int parse_times(struct request *r, struct lock_wish *wish)
{
	const char *ttl, *wait;
	int fault = request_member_text(r, "ttl", &ttl);

	if (!fault && ttl)
		fault = parse_duration(r, "ttl", ttl, &wish->lock.ttl_s);
	if (!fault)
		fault = request_member_text(r, "wait", &wait);
	if (fault || !wait)
		return fault;
	if (strcmp(wait, WAIT_FOREVER) != 0)
		return parse_duration(r, "wait", wait, &wish->wait_s);
	wish->wait_s = LOCK_WAIT_FOREVER;
	return 0;
}

int locks_post(struct request *r)
{
	struct lock_wish wish = { .lock.uid = r->uid };
	struct asker asker;
	const char *name;
	bool machine = false;
	int fault = request_member_text(r, "name", &name);

	if (!fault)
		fault = check_name(r, name);
	if (!fault)
		fault = request_member_bool(r, "machine", &machine);
	if (!fault)
		fault = parse_times(r, &wish);
	if (!fault)
		fault = request_member_count(r, "fence", &wish.renew_only);
	if (!fault)
		fault = parse_asker(r, &asker);
	if (!fault)
		fault = find_holder(r, &asker, wish.lock.holder);
	if (fault)
		return fault;
	strcpy(wish.lock.name, name);
	wish.lock.owner = machine ? LOCK_OF_MACHINE : r->uid;
	wish.lock.process = asker.owner.id;
	text_to_utf8(asker.owner.comm, wish.lock.comm, sizeof(wish.lock.comm));
	return lock_keeper_acquire(r->api->locks, r, &wish);
}

/* --- POST /v1/unlocks --- */

struct unlock {
	struct lock_key key;
	bool of_whoever; /* no owner was named: root's search goes on where root has none */
	bool force;
	int64_t fence; /* only this grant; 0 = any */
	struct asker asker;
	char holder[LOCK_HOLDER_MAX + 1];
};

static int parse_key(struct request *r, struct unlock *u)
{
	const char *name, *user;
	bool machine = false;
	uid_t owner = r->uid;
	int fault = request_member_text(r, "name", &name);

	if (!fault)
		fault = check_name(r, name);
	if (!fault)
		fault = request_member_bool(r, "machine", &machine);
	if (!fault)
		fault = request_member_text(r, "user", &user);
	if (!fault)
		fault = lock_name_owner(r, machine, user, &owner);
	if (fault)
		return fault;
	u->key = lock_key_make(name, owner);
	u->of_whoever = !machine && !user;
	return 0;
}

static int parse_unlock(struct request *r, struct unlock *u)
{
	int fault = parse_key(r, u);

	if (!fault)
		fault = request_member_bool(r, "force", &u->force);
	if (!fault)
		fault = request_member_count(r, "fence", &u->fence);
	if (!fault)
		fault = parse_asker(r, &u->asker);
	return fault ? fault : find_holder(r, &u->asker, u->holder);
}

/*
 * Who names a holder means that one.  Else the process that holds the lock speaks for it, whoever
 * it has started, and whoever works on behalf of its holder.
 */
static bool is_own(const struct request *r, const struct unlock *u, const struct lock *lock)
{
	const struct asker *a = &u->asker;

	if (lock->uid != r->uid)
		return false;
	if (a->holder)
		return strcmp(lock->holder, a->holder) == 0;
	return belongs_generation(&a->peer, &lock->process) >= 0 ||
	       (a->on_behalf && strcmp(lock->holder, a->on_behalf) == 0);
}

static int check_allowed(struct request *r, const struct unlock *u, const struct lock *lock)
{
	char words[LOCK_WORDS_SIZE];

	if (is_own(r, u, lock))
		return 0;
	request_extra(r, "lock", lock_view(r->api->locks, lock, r->uid));
	if (lock->uid != r->uid && r->uid != 0)
		return request_fail(r, OUTCOME_NOT_ALLOWED,
				    "%s belongs to user %s: only they or root may unlock it",
				    lock->name, user_name(lock->uid));
	if (u->force)
		return 0;
	return request_fail(r, OUTCOME_NOT_ALLOWED,
			    "%s is %s, and not by you; take it away with --force", lock->name,
			    lock_words_held(lock, r->now, words));
}

static int release(struct request *r, const struct unlock *u, const struct lock *lock)
{
	char details[DETAILS_SIZE], comm[4 * PROCESS_COMM_SIZE], age[32];
	bool own = is_own(r, u, lock);

	duration_format_short(r->now - lock->acquired_at, age);
	if (own)
		snprintf(details, sizeof(details), "Unlocked by %s after %s", lock->holder, age);
	else
		snprintf(details, sizeof(details), "Taken from %s after %s by %s, with --force",
			 lock->holder, age, u->holder);
	json_add_text(r->answer, "name", lock->name);
	json_add_text(r->answer, "holder", lock->holder);
	json_add_int(r->answer, "fence", lock->fence);
	json_add_bool(r->answer, "forced", !own);
	return lock_keeper_release(r->api->locks, r, lock, details,
				   text_to_utf8(u->asker.peer.comm, comm, sizeof(comm)));
}

/*
 * Where the caller has no such lock, and has not said whose is meant, another user's is: for root
 * to take away, for everybody else to be told about.
 */
static int find_of_another(struct request *r, const struct unlock *u, struct lock *ret)
{
	struct lock_namesakes others;
	char sentence[LOCK_NAME_MAX + sizeof(" is not held")];
	int fault = lock_namesakes_find(r, u->key, &others);

	if (fault)
		return fault;
	snprintf(sentence, sizeof(sentence), "%s is not held", u->key.name);
	if (!u->of_whoever || !others.n_others)
		return lock_namesakes_fail(r, &others, sentence);
	if (r->uid == 0 && others.n_others > 1)
		return request_fail(r, OUTCOME_CONFLICT,
				    "%zu users hold a lock %s; say whose is meant: --user %s",
				    others.n_others, u->key.name, user_name(others.other.owner));
	*ret = others.other;
	return 0;
}

int unlocks_post(struct request *r)
{
	struct unlock u = { 0 };
	struct lock lock;
	int fault = parse_unlock(r, &u);

	if (fault)
		return fault;
	fault = lock_keeper_look(r->api->locks, u.key, &lock);
	if (fault < 0)
		return fault;
	if (fault == OUTCOME_NO || !lock_is_held(&lock))
		fault = find_of_another(r, &u, &lock);
	if (fault)
		return fault;
	if (u.fence && u.fence != lock.fence)
		return request_fail(r, OUTCOME_NO, "%s is not held with fence %lld any more",
				    lock.name, (long long)u.fence);
	fault = check_allowed(r, &u, &lock);
	return fault ? fault : release(r, &u, &lock);
}

/* --- GET /v1/locks --- */

static int param_machine(struct request *r, bool *ret)
{
	const char *text = request_param(r, "machine");

	*ret = text != NULL;
	if (text && strcmp(text, "1") != 0)
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "machine \"%.16s\" cannot be read; write machine=1", text);
	return 0;
}

static int show_one(struct request *r, const char *name, struct json_object *list)
{
	char sentence[LOCK_NAME_MAX + sizeof("there is no lock ")];
	bool machine = false;
	struct lock_namesakes others;
	struct lock lock;
	uid_t owner = r->uid;
	int fault = check_name(r, name);

	if (!fault)
		fault = param_machine(r, &machine);
	if (!fault)
		fault = lock_name_owner(r, machine, request_param(r, "user"), &owner);
	if (fault)
		return fault;
	fault = lock_keeper_look(r->api->locks, lock_key_make(name, owner), &lock);
	if (!fault)
		json_append(list, lock_view(r->api->locks, &lock, r->uid));
	if (fault != OUTCOME_NO)
		return fault;
	fault = lock_namesakes_find(r, lock_key_make(name, owner), &others);
	snprintf(sentence, sizeof(sentence), "there is no lock %s", name);
	return fault ? fault : lock_namesakes_fail(r, &others, sentence);
}

/* One's own and the machine's first, which a program may take by their names, then the others'. */
static bool comes_first(const struct lock *lock, uid_t viewer)
{
	return lock->owner == viewer || lock->owner == LOCK_OF_MACHINE;
}

int locks_get(struct request *r)
{
	struct json_object *list = json_add_array(r->answer, "locks");
	const char *name = request_param(r, "name");
	_cleanup_free_ struct lock *locks = NULL;
	size_t n = 0;
	int fault;

	if (name)
		return show_one(r, name, list);
	if (request_param(r, "machine") || request_param(r, "user"))
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "\"machine\" and \"user\" say whose name it is: add name=");
	fault = lock_keeper_look_all(r->api->locks, false, &locks, &n);
	for (int first = 1; !fault && first >= 0; first--)
		for (size_t i = 0; i < n; i++)
			if (comes_first(&locks[i], r->uid) == first)
				json_append(list, lock_view(r->api->locks, &locks[i], r->uid));
	return fault;
}
