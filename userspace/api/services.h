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

/* How many orphan rows the own namespace has.  0, negative errno. */
int services_count_orphans(struct api *api, int64_t *ret);

/* The orphan reason of a row on whose port there is no claim.  Negative errno. */
int services_unclaimed_reason(struct api *api, const struct socket_row *row);

#endif
