/* SPDX-License-Identifier: MIT */
/* What the files of this room share and nobody else sees. */
#ifndef HEALTH_INTERNAL_H
#define HEALTH_INTERNAL_H

#include <sys/queue.h>
#include <sys/types.h>

#include "health/health.h"

struct bufferevent;
struct event;
struct evhttp_connection;
struct ssl_ctx_st;

enum check_state {
	CHECK_WAITING = 0, /* for a place among those that run */
	CHECK_RUNNING,
	CHECK_SETTLED, /* the answer is known; its timer is about to run */
};

#define ATTEMPT_FIRST_BYTES 32 /* of an answer: enough to say what it is instead of HTTP */

/* One connection.  A check makes a second one when the first meets TLS. */
struct attempt {
	enum health_scheme scheme;
	struct bufferevent *socket;	      /* HEALTH_TCP's own; else the connection's */
	struct evhttp_connection *connection; /* not of HEALTH_TCP */
	uint64_t began_us;
	uint64_t received; /* bytes, of the plaintext */
	char first[ATTEMPT_FIRST_BYTES];
	bool connected;
	bool head_known; /* the answer's status is in check->answer */
	bool failed;	 /* evhttp said how: */
	int error;	 /* enum evhttp_request_error */
	int system_error;
	uint8_t tcp_state; /* when the connection ended; 0 = not known */
};

struct health_check {
	TAILQ_ENTRY(health_check) link;
	struct health *health;
	struct share *share; /* of whoever asked */
	enum check_state state;
	struct health_target target; /* its strings are owned */
	health_done done;
	void *user_data;
	struct event *timer;
	unsigned timeout_ms;
	uint64_t deadline_us;
	struct attempt attempt;
	struct health_answer answer;
	struct health_answer plain; /* of the first attempt, while TLS is tried */
	bool tried_tls;
};

TAILQ_HEAD(check_list, health_check);

/* The checks of one user; it lives while there are any. */
struct share {
	TAILQ_ENTRY(share) link;
	uid_t uid;
	struct check_list waiting, running;
	size_t n, n_running;
};

struct health {
	struct event_base *loop;
	struct quota *quota;
	uid_t own_uid;
	TAILQ_HEAD(, share) shares; /* whose turn it is first */
	size_t n_running;
	bool ends;		/* nothing takes the place of what is cancelled */
	struct ssl_ctx_st *tls; /* NULL until the first check over TLS */
};

/* Until the check's deadline. */
uint64_t health_left_us(const struct health_check *c);
void health_run_timer_in(struct health_check *c, uint64_t wait_us);

/* Takes the attempt's answer; the first one counts.  `done` follows from the loop. */
void health_settle(struct health_check *c, enum health_result result);
/* The head is here: the rest of the body is not waited for long. */
void health_head_known(struct health_check *c);

/* The attempts.  Each begins with a zeroed c->attempt; a failure to begin is settled. */
void health_tcp_begin(struct health_check *c);
void health_http_begin(struct health_check *c, bool tls);
/* Frees what an attempt holds; takes a zeroed one. */
void health_tcp_end(struct health_check *c);
void health_http_end(struct health_check *c);
/* Is it worth asking again over TLS? */
bool health_http_hints_at_tls(const struct health_check *c);

/* The result of an errno of connect(), with its details. */
enum health_result health_connect_failed(struct health_check *c, int error);

/* A bufferevent that will speak TLS, without descriptor.  0, -ENOMEM. */
int health_tls_socket_new(struct health *h, const char *host, struct bufferevent **ret);
/* What TLS objected to, as text; false when the fault was not of TLS. */
bool health_tls_fault(struct bufferevent *socket, char *ret, size_t size);
void health_tls_free(struct health *h);

#endif
