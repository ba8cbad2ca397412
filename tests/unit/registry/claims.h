/* SPDX-License-Identifier: MIT */
/* Claims, each in a batch of its own, and the services that a walk visits. */
#ifndef TESTS_UNIT_REGISTRY_CLAIMS_H
#define TESTS_UNIT_REGISTRY_CLAIMS_H

#include "unit/registry/fixture.h"

static const struct port_range small_range = { 4000, 4007 };

/* What the kernel makes of each port: PORT_FREE where nothing is set. */
struct kernel_view {
	enum port_use use[UINT16_MAX + 1];
	unsigned asked;
};

static inline enum port_use look_at_view(uint16_t port, bool own, void *user_data)
{
	struct kernel_view *view = user_data;
	enum port_use use = view->use[port];

	view->asked++;
	return use == PORT_SERVED && !own ? PORT_TAKEN : use;
}

static inline int claim_in(struct fixture *f, const struct claim_request *request,
			   struct kernel_view *view, struct claim_result *ret)
{
	int error;

	fixture_begin(f);
	error = registry_claim(f->registry, request, view ? look_at_view : NULL, view, ret);
	fixture_commit(f);
	return error;
}

static inline int claim(struct fixture *f, const struct claim_request *request,
			struct claim_result *ret)
{
	return claim_in(f, request, NULL, ret);
}

struct id_list {
	char text[512];
	int stop_after;
};

static inline bool append_id(const struct service *service, void *user_data)
{
	struct id_list *list = user_data;
	size_t n = strlen(list->text);

	snprintf(list->text + n, sizeof(list->text) - n, "%s ", service->id);
	return --list->stop_after != 0;
}

static inline void expect_ids(struct fixture *f, struct service_filter filter, const char *expected)
{
	struct id_list list = { .stop_after = -1 };

	assert_int_equal(registry_for_each_service(f->registry, &filter, append_id, &list), 0);
	assert_string_equal(list.text, expected);
}

#endif
