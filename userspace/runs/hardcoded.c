/* SPDX-License-Identifier: MIT */
#include "runs/hardcoded.h"

#include <errno.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/user.h"
#include "registry/registry.h"
#include "registry/runs.h"

/* False where the run has nothing to do with the number. */
static bool read_run(const struct run *run, uint16_t number, struct hardcoded_port *ret)
{
	uint16_t port = run_port_for(run, number);
	uint16_t asked = port ? number : run_asked_port(run, number);

	*ret = (struct hardcoded_port){ .run = run, .asked = asked, .port = port ? port : number };
	return asked != 0;
}

int hardcoded_find(struct registry *registry, uint16_t number, uid_t viewer, uid_t user,
		   struct hardcoded_port **ret, size_t *ret_n)
{
	_cleanup_free_ struct hardcoded_port *list = NULL;
	size_t n = 0, size = 0;

	for (const struct run *run = registry_runs(registry); run; run = run->next) {
		struct hardcoded_port h;

		if (!user_may_see(viewer, run->uid) || !read_run(run, number, &h))
			continue;
		registry_shown_id(registry, run->service, run->uid, user, h.service);
		if (array_reserve(list, size, n + 1, 4))
			return -ENOMEM;
		list[n++] = h;
	}
	*ret = TAKE_PTR(list);
	*ret_n = n;
	return 0;
}
