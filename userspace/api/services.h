/* SPDX-License-Identifier: MIT */
/* Claims as JSON, judged anew from the sockets as they are now. */
#ifndef API_SERVICES_H
#define API_SERVICES_H

#include "http/request.h"
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

#endif
