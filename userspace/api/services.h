/* SPDX-License-Identifier: MIT */
/* Claims as JSON, judged anew from the sockets as they are now. */
#ifndef API_SERVICES_H
#define API_SERVICES_H

#include "api/request.h"
#include "reconcile/status.h"
#include "registry/registry.h"

/* Copies of claims: what is looked up for each would disturb the registry's cursor. */
struct service_list {
	struct service *services; /* their strings are the list's */
	size_t n, size;
	bool no_memory;
};
void service_list_free(struct service_list *list);
/* A service_visit whose user_data is the list. */
bool service_list_add(const struct service *service, void *list);

/* What a claim is now, and who makes it so. */
struct service_now {
	struct status_verdict verdict;
	struct holding *holdings; /* of its serving sockets; the caller's: free() */
	size_t n_holdings;
};
int service_judge(struct api *api, const struct service *service, int64_t now,
		  struct service_now *ret);

struct orphan_filter {
	uint16_t port;	/* 0 = all */
	uint16_t from;	/* ports below it are left out */
	size_t n_ports; /* looked at, at most; 0 = all */
	uint16_t next;	/* set by the call: the first that was not looked at; 0 = all were */
};
/*
 * Calls visit for every orphan row of the own namespace, with the reason, until it returns false.
 * The row is borrowed for the call.  0, negative errno.
 */
typedef bool (*orphan_visit)(const struct socket_row *row, enum orphan_reason reason,
			     void *user_data);
int services_for_each_orphan(struct api *api, struct orphan_filter *filter, orphan_visit visit,
			     void *user_data);

/* The orphan reason of a row on whose port there is no claim.  Negative errno. */
int services_unclaimed_reason(struct api *api, const struct socket_row *row);

#endif
