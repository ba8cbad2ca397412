/* SPDX-License-Identifier: MIT */
/*
 * Checks whether a service answers: connects to it and, where it has a health path, asks over HTTP
 * or HTTPS. Everything runs on the caller's event loop; each check ends by its own deadline,
 * whatever the other side does.
 *
 * 2xx and 3xx are healthy; redirects are not followed.  The certificate of an HTTPS service is not
 * verified: development servers sign their own.  A plain request to a service that turns out to
 * speak TLS is asked once more over TLS, within the same deadline.
 *
 * The checker closes first wherever the protocol lets it, and aborts a connection that the server
 * has closed already: a check leaves no TIME_WAIT on the service's port, which would keep a server
 * without SO_REUSEADDR from starting again.
 *
 * SIGPIPE must be ignored in the process: OpenSSL writes with write().
 */
#ifndef HEALTH_HEALTH_H
#define HEALTH_HEALTH_H

#include <stdint.h>
#include <sys/types.h>

#include "base/net.h"

/*
 * Of QUOTA_HEALTH_RUNNING checks hold a connection at the same time, or of as many as half of the
 * process's descriptors allow; the rest waits, and its deadline runs already.  Users take turns,
 * and the part that is kept back is for those who have no more than so many that run: whoever
 * checks many services that never answer leaves everybody else enough for theirs.
 */
#define HEALTH_RUNNING_FEW 16
#define HEALTH_HEAD_MAX_BYTES                                              \
	(32 * 1024) /* of an answer; more is not HTTP as services speak it \
		     */
/* Of a body nothing is needed.  It is read so far, and so long, that a server can finish writing
 * a usual one and does not log a broken connection for each check. */
#define HEALTH_BODY_MAX_BYTES (64 * 1024)
#define HEALTH_BODY_WAIT_MS   100

enum health_scheme { HEALTH_TCP = 0, HEALTH_HTTP, HEALTH_HTTPS };

enum health_result {
	HEALTH_OK = 0,	    /* 2xx, 3xx; for HEALTH_TCP: connected */
	HEALTH_HTTP_ERROR,  /* any other status */
	HEALTH_TIMEOUT,	    /* the deadline passed */
	HEALTH_REFUSED,	    /* nothing listens there */
	HEALTH_UNREACHABLE, /* no such address, no route */
	HEALTH_RESET,	    /* the peer reset the connection */
	HEALTH_CLOSED,	    /* the peer closed it before its answer was complete */
	HEALTH_NOT_HTTP,    /* it answered something else */
	HEALTH_TLS_FAILED,  /* no TLS connection came about */
	HEALTH_FAILED,	    /* for a reason of our own: no descriptor, no memory */
	HEALTH_NOT_TRIED,   /* the deadline passed before its turn: nothing is known */
	_HEALTH_RESULT_MAX
};

/* "ok", "http_error", … as JSON and the database spell them; static storage. */
const char *health_result_name(enum health_result result);

struct health_target {
	uint8_t family; /* AF_INET, AF_INET6 */
	struct net_addr addr;
	uint32_t scope_id; /* of a link-local address; 0 = none */
	uint16_t port;
	enum health_scheme scheme;
	const char *host; /* for the Host header, without port; copied */
	const char *path; /* not for HEALTH_TCP; copied */
};

#define HEALTH_REASON_SIZE  64
#define HEALTH_DETAILS_SIZE 160

struct health_answer {
	enum health_result result;
	enum health_scheme scheme; /* as it was spoken in the end */
	int http_status;	   /* 0 = none */
	uint64_t elapsed_us;	   /* from the connect to the answer's head */
	/* Both valid UTF-8 without control characters, whatever the server sent. */
	char reason[HEALTH_REASON_SIZE];   /* "Internal Server Error"; may be empty */
	char details[HEALTH_DETAILS_SIZE]; /* a clause that explains the result; may be empty */
};

struct event_base;
struct quota;
struct health;
struct health_check;

/* Both are borrowed and outlive the checker.  0, -ENOMEM. */
int health_new(struct event_base *loop, struct quota *quota, struct health **ret);
/* Cancels what still runs. */
void health_free(struct health *h);

/* Gives back what OpenSSL took for checks, as far as it can be, where none is left. */
void health_give_back(struct health *h);

/* Called once for each check that was not cancelled, from the loop; the check is gone then. */
typedef void (*health_done)(const struct health_answer *answer, void *user_data);

/*
 * Starts a check for a user that ends timeout_ms after since_us (CLOCK_MONOTONIC), at the latest:
 * all checks of one question have one deadline.  `done` is never called before this returns.  *ret
 * is borrowed, valid until `done` or health_check_cancel().  0, an enum quota_outcome of
 * QUOTA_HEALTH_CHECKS, -ENOMEM.
 */
int health_check_start(struct health *h, const struct health_target *target, uid_t uid,
		       uint64_t since_us, unsigned timeout_ms, health_done done, void *user_data,
		       struct health_check **ret);

/* Ends it without a call; NULL is none. */
void health_check_cancel(struct health_check *check);

#endif
