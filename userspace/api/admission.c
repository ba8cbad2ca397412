/* SPDX-License-Identifier: MIT */
#include "api/admission.h"

#include <errno.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/api.h"
#include "api/reply.h"
#include "base/cleanup.h"
#include "base/log.h"

enum entry_state { ENTRY_NONE = 0, ENTRY_ADMITTED, ENTRY_REFUSED };

struct entry {
	enum entry_state state;
	uid_t uid;
	ino_t inode;
};

struct admission {
	struct event_base *loop;
	struct event *judge;
	uint64_t *counter;
	struct bufferevent **fresh; /* accepted, not judged yet; one reference each */
	size_t n_fresh, fresh_size;
	struct entry *entries; /* by descriptor */
	size_t n_entries;
};

static ino_t inode_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? 0 : st.st_ino;
}

static size_t count(const struct admission *a, uid_t uid, bool everybody)
{
	size_t n = 0;

	for (size_t fd = 0; fd < a->n_entries; fd++)
		n += a->entries[fd].state == ENTRY_ADMITTED &&
		     (everybody || a->entries[fd].uid == uid);
	return n;
}

static bool over_limit(const struct admission *a, uid_t uid)
{
	bool exempt = uid == 0 || uid == geteuid();
	size_t most = exempt ? API_CONNECTIONS_MAX : API_CONNECTIONS_MAX - ADMISSION_RESERVED;

	if (count(a, uid, true) >= most)
		return true;
	return !exempt && count(a, uid, false) >= API_CONNECTIONS_PER_UID;
}

static void forget_closed(struct admission *a)
{
	for (size_t fd = 0; fd < a->n_entries; fd++)
		if (a->entries[fd].state && inode_of((int)fd) != a->entries[fd].inode)
			a->entries[fd].state = ENTRY_NONE;
}

static bool make_room(struct admission *a, size_t fd)
{
	size_t size = a->n_entries ? a->n_entries : 64;
	struct entry *entries;

	if (fd < a->n_entries)
		return true;
	while (size <= fd)
		size *= 2;
	entries = reallocarray(a->entries, size, sizeof(*entries));
	if (!entries)
		return false;
	memset(entries + a->n_entries, 0, (size - a->n_entries) * sizeof(*entries));
	a->entries = entries;
	a->n_entries = size;
	return true;
}

/* Says why and ends the connection in both directions; evhttp then sees its end and frees it. */
static void refuse(int fd)
{
	_cleanup_json_ struct json_object *body = reply_error_new(
		OUTCOME_TOO_LARGE, "too many connections are open; close one and try again", NULL);
	const char *json = json_object_to_json_string_ext(body, JSON_C_TO_STRING_PLAIN);
	char text[512];
	int length = snprintf(text, sizeof(text),
			      "HTTP/1.1 503 Service Unavailable\r\n"
			      "Content-Type: application/json\r\nConnection: close\r\n"
			      "Content-Length: %zu\r\n\r\n%s\n",
			      strlen(json) + 1, json);

	if (send(fd, text, length, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_debug("a refused client had left: %s", strerror(errno));
	shutdown(fd, SHUT_RDWR);
}

static void judge(struct admission *a, int fd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);
	bool refused;

	if (!make_room(a, fd) || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size)) {
		refuse(fd);
		return;
	}
	a->entries[fd].state = ENTRY_NONE; /* whoever had this number is gone */
	refused = over_limit(a, peer.uid);
	if (refused) {
		forget_closed(a);
		refused = over_limit(a, peer.uid);
	}
	a->entries[fd] = (struct entry){
		.state = refused ? ENTRY_REFUSED : ENTRY_ADMITTED,
		.uid = peer.uid,
		.inode = inode_of(fd),
	};
	if (refused)
		refuse(fd);
}

static void on_accepted(evutil_socket_t unused, short what, void *user_data)
{
	struct admission *a = user_data;

	for (size_t i = 0; i < a->n_fresh; i++) {
		int fd = bufferevent_getfd(a->fresh[i]);

		if (fd >= 0)
			judge(a, fd);
		bufferevent_decref(a->fresh[i]);
	}
	a->n_fresh = 0;
}

static struct bufferevent *new_bufferevent(struct event_base *loop, void *user_data)
{
	struct admission *a = user_data;
	struct bufferevent *bev;

	if (a->n_fresh == a->fresh_size) {
		size_t size = a->fresh_size ? 2 * a->fresh_size : 16;
		struct bufferevent **fresh = reallocarray(a->fresh, size, sizeof(*fresh));

		/* without a note it is never admitted, and its first request closes it */
		if (!fresh)
			return NULL;
		a->fresh = fresh;
		a->fresh_size = size;
	}
	/* as evhttp makes its own: it closes the descriptor itself */
	bev = bufferevent_socket_new(loop, -1, 0);
	if (!bev)
		return NULL;
	bufferevent_incref(bev);
	a->fresh[a->n_fresh++] = bev;
	++*a->counter;
	event_active(a->judge, EV_TIMEOUT, 0);
	return bev;
}

int admission_new(struct event_base *loop, struct evhttp *http, uint64_t *counter,
		  struct admission **ret)
{
	struct admission *a = calloc(1, sizeof(*a));

	if (!a)
		return -ENOMEM;
	a->loop = loop;
	a->counter = counter;
	a->judge = event_new(loop, -1, 0, on_accepted, a);
	if (!a->judge || event_priority_set(a->judge, 0)) {
		admission_free(a);
		return -ENOMEM;
	}
	evhttp_set_bevcb(http, new_bufferevent, a);
	*ret = a;
	return 0;
}

void admission_free(struct admission *a)
{
	if (!a)
		return;
	for (size_t i = 0; i < a->n_fresh; i++)
		bufferevent_decref(a->fresh[i]);
	if (a->judge)
		event_free(a->judge);
	free(a->fresh);
	free(a->entries);
	free(a);
}

bool admission_admitted(const struct admission *a, int fd)
{
	return fd >= 0 && (size_t)fd < a->n_entries && a->entries[fd].state == ENTRY_ADMITTED;
}
