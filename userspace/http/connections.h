/* SPDX-License-Identifier: MIT */
/*
 * Who is connected: accepting, the limits of it, the time that a request may take to arrive, and
 * the bytes that wait unread.
 *
 * libevent 2.1's HTTP server accepts by itself, until nobody waits any more, and has no hook to
 * refuse a client.  Its one callback that runs for each new connection hands out the bufferevent,
 * before the descriptor is known: so each is noted there and judged right after the accepting, by
 * an event of the highest priority, which runs before the loop can read from it.  The accepting
 * itself ends after CONNECTIONS_PER_TURN of them: libevent leaves its loop when its callback has
 * disabled the listener, and the judging enables it again.
 *
 * A connection that was admitted is charged to its user until it ends.  The callback with which
 * evhttp tells of the end belongs to this module; whoever needs to know uses connection_on_end().
 */
#ifndef HTTP_CONNECTIONS_H
#define HTTP_CONNECTIONS_H

#include <stddef.h>
#include <sys/types.h>

struct connection;
struct connections;
struct evhttp_connection;
struct server;

/* Accepted in one turn of the loop at most: about a millisecond.  Whoever is connected is served
 * after it.  Where there are fewer connections than usual, a quarter of those. */
#define CONNECTIONS_PER_TURN 64

int connections_new(struct server *server, struct connections **ret);
/* Serves on a listening socket, which it consumes.  0, negative errno. */
int connections_listen(struct connections *cs, int listen_fd);
/* After the HTTP server's own end: it calls back until then. */
void connections_free(struct connections *cs);

/* NULL for one that was not admitted. */
struct connection *connection_of(const struct server *server, struct evhttp_connection *http);

/*
 * Calls back once when the connection ends, by its client, by us or at the server's end, with the
 * connection's requests still on it.  NULL = nobody; a later call takes the place of an earlier.
 */
typedef void (*connection_ended)(struct evhttp_connection *http, void *user_data);
void connection_on_end(struct connection *c, connection_ended ended, void *user_data);

/*
 * A request has arrived whole.  Until connection_answered(), a connection whose end nobody asked to
 * be told of is not ended by us: somebody keeps its request.
 */
void connection_asked(struct connection *c);
/* Its answer was handed out: SERVER_REQUEST_TIMEOUT_S from now the next request has to be there. */
void connection_answered(struct connection *c);

/*
 * Bytes that its user has not read: held for it somewhere, or in its output.  connection_hold()
 * charges more of them; 0, a quota_outcome or -ENOMEM, and then there is no room for them.  What is
 * held moves into the output between connection_sending() and connection_sent(), and is given back
 * as it leaves that.
 */
int connection_hold(struct connection *c, size_t bytes);
void connection_sending(struct connection *c);
void connection_sent(struct connection *c);

/* Ends it, from the loop's next turn; what is put into its output until then is lost. */
void connection_drop(struct connection *c);

uid_t connection_uid(const struct connection *c);

/*
 * The user who started the process that connected (procfs_starter(): a dozen files), found out
 * once; its uid where that is not root's, or where nobody can tell.  `pid`: of that process.
 */
uid_t connection_user(struct connection *c, pid_t pid);

#endif
