/* SPDX-License-Identifier: MIT */
/* Copies of claims: what is looked up for each would disturb the registry's cursor. */
#ifndef REGISTRY_SERVICE_LIST_H
#define REGISTRY_SERVICE_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "registry/registry.h"

struct service_list {
	struct service *services; /* their strings are the list's */
	size_t n, size;
	bool no_memory;
};
void service_list_free(struct service_list *list);
/* A service_visit whose user_data is the list. */
bool service_list_add(const struct service *service, void *list);

#endif
