/* SPDX-License-Identifier: MIT */
#include "registry/service_list.h"

#include <stdlib.h>
#include <string.h>

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

static bool grow(struct service_list *list)
{
	size_t size = list->size ? 2 * list->size : 32;
	struct service *services = reallocarray(list->services, size, sizeof(*services));

	if (!services)
		return false;
	list->services = services;
	list->size = size;
	return true;
}

bool service_list_add(const struct service *service, void *user_data)
{
	struct service_list *list = user_data;
	struct service copy = *service;

	copy.id = strdup(service->id);
	copy.cwd = strdup(service->cwd ? service->cwd : "");
	copy.health_path = service->health_path ? strdup(service->health_path) : NULL;
	if (!copy.id || !copy.cwd || (service->health_path && !copy.health_path) ||
	    (list->n == list->size && !grow(list))) {
		service_free(&copy);
		list->no_memory = true;
		return false;
	}
	list->services[list->n++] = copy;
	return true;
}
