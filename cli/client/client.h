/* SPDX-License-Identifier: MIT */
/*
 * A small blocking HTTP/1.0 client for the daemon's Unix socket.  Where no daemon answers, one is
 * started.
 */
#ifndef CLI_CLIENT_CLIENT_H
#define CLI_CLIENT_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/outcome.h"
#include "cli/client/rows.h"

struct json_object;

/*
 * Adds "name=value" percent-encoded to a path's query, which may have begun; NULL values are left
 * out.  ret: size bytes. 0, or -ENAMETOOLONG.
 */
struct client_param {
	const char *name, *value;
};
int client_path(const char *base, const struct client_param *params, int n, char *ret, int size);

/*
 * Sends one request and reads the whole answer.  Connects to the first socket that answers; starts
 * a daemon where none does (unless PORT_DADDY_NO_AUTOSTART=1) and says so in one line on stderr.
 * body may be NULL (GET) or an object (POST; borrowed).
 * When the daemon ends meanwhile, a request that it had not read is repeated, and one that only
 * asks (GET) is where a daemon is there again; of any other the error says that what became of it
 * is not known.  What a daemon of another build does not know of the request is left out, and that
 * is said on stderr.  Returns the outcome; *ret is always an object in the API's shape ({"ok":…}),
 * also for failures of the client itself (no daemon, broken answer).  Owned by the caller:
 * json_object_put().
 */
enum outcome client_request(const char *method, const char *path, struct json_object *body,
			    struct json_object **ret);

/* Of a list that is asked for; a page of the daemon's has up to 500 rows. */
#define CLIENT_PAGES_MAX      10000
#define CLIENT_PAGE_PATH_SIZE 8192 /* the longest question, and a cursor */
/* What to say where a daemon goes beyond one of them, which ours never does. */
#define CLIENT_TOO_MANY_PAGES "the list is longer than pd accepts"
#define CLIENT_TOO_LONG_NEXT  "the daemon's list goes on at a place that is too long"

/*
 * The question for the page behind `next`, which the page before has said.  0; -ENAMETOOLONG.
 */
int client_page_path(const char *path, const char *next, char ret[static CLIENT_PAGE_PATH_SIZE]);

/*
 * client_request("GET") for long lists, in as many pages as the daemon makes of them: each() takes
 * the elements of every list one after the other, and they are freed behind it; *ret has the other
 * members of the last page.  The tree of 20,000
 * rows would take three times as long.
 */
enum outcome client_list(const char *path, rows_each each, void *user_data,
			 struct json_object **ret);

/*
 * The same for an answer that is text: OUTCOME_OK and *ret_text, NUL-terminated, owned by the
 * caller: free(); else the error in *ret_error.
 */
enum outcome client_text(const char *path, char **ret_text, struct json_object **ret_error);

/*
 * The same for an answer that may come late: it is waited for up to timeout_s (0: for ever).
 * *ret_broken tells that the daemon ended before it answered; what it did by then is not known.
 */
enum outcome client_request_patiently(const char *method, const char *path,
				      struct json_object *body, int64_t timeout_s, bool *ret_broken,
				      struct json_object **ret);

/*
 * Asks (GET) over a connection that there is, and which is closed with it: nothing is started, and
 * nothing asked a second time.  As client_request().
 */
enum outcome client_request_on(int fd, const char *path, struct json_object **ret);
/* The same of a daemon without which the caller can go on: its answer is waited for so long. */
enum outcome client_request_within(int fd, const char *path, int64_t timeout_s,
				   struct json_object **ret);

/* The answer to a question of the daemon that runs, the caller's; NULL where none gives one.
 * Nothing is started. */
struct json_object *client_ask_running(const char *path);

typedef bool (*client_each)(struct json_object *line, void *user_data);

/*
 * What the end of a stream's daemon means.  CLIENT_FOLLOWS: where another one is there within
 * seconds, as after a restart, each() gets that one's "stream" line, and so knows that something
 * may be missing.
 */
enum client_end { CLIENT_ENDS, CLIENT_FOLLOWS };

/*
 * Opens a stream of JSON lines and calls each() with every object until it returns false, SIGINT or
 * SIGTERM asks to stop, or the reader of our stdout leaves: OUTCOME_OK.  The first object is the
 * daemon's "stream" line: from here on nothing is missed.  Another outcome, with *ret_error in the
 * API's shape (owned by the caller), when it cannot be opened or the daemon ends it.  Guarded by
 * cli/client/stop_guard.h from the first moment on; a caller that does more than this until it is
 * asked to stop has a guard around all of it.
 */
enum outcome client_stream(const char *path, enum client_end end, client_each each, void *user_data,
			   struct json_object **ret_error);

#endif
