/* SPDX-License-Identifier: MIT */
#include "registry/service_list.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"

static void service_free(struct service *s)
{
	free((char *)s->id);
	free((char *)s->cwd);
	free((char *)s->health_path);
}

void service_list_free(struct service_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		service_free(&list->services[i]);
	free(list->services);
	*list = (struct service_list){ 0 };
}

bool service_list_add(const struct service *service, void *user_data)
{
	struct service_list *list = user_data;
	struct service copy = *service;

	copy.id = strdup(service->id);
	copy.cwd = strdup(service->cwd ? service->cwd : "");
	copy.health_path = service->health_path ? strdup(service->health_path) : NULL;
	if (!copy.id || !copy.cwd || (service->health_path && !copy.health_path) ||
	    array_reserve(list->services, list->size, list->n + 1, 32)) {
		service_free(&copy);
		list->no_memory = true;
		return false;
	}
	list->services[list->n++] = copy;
	return true;
}
