/* SPDX-License-Identifier: MIT */
#include "daemon/sandbox.h"

#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/cleanup.h"
#include "daemon/landlock.h"
#include "daemon/system_calls.h"

/* linux/prctl.h since Linux 6.3 */
#ifndef PR_SET_MDWE
#define PR_SET_MDWE		 65
#define PR_MDWE_REFUSE_EXEC_GAIN 1
#endif

/*
 * The size of a core is left as it is: a crash is reported with one, and it is its owner's.  So is
 * the number of processes, which the kernel counts for all that the user runs.
 */
static const struct {
	__rlimit_resource_t resource;
	rlim_t most;
} limits[] = {
	{ RLIMIT_MEMLOCK, 0 },		  /* the maps are made: below Linux 5.11 they count here */
	{ RLIMIT_MSGQUEUE, 0 },		  /* there is none */
	{ RLIMIT_NICE, 0 },		  /* nobody's processor is taken away */
	{ RLIMIT_RTPRIO, 0 },		  /* the same */
	{ RLIMIT_NOFILE, RLIM_INFINITY }, /* what base/quota.c gives away was counted by it */
};

/* What is in force is given up for good: the hard limit is no higher than the soft one. */
static void limit_resources(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		struct rlimit limit;

		if (getrlimit(limits[i].resource, &limit))
			continue;
		if (limit.rlim_cur > limits[i].most)
			limit.rlim_cur = limits[i].most;
		limit.rlim_max = limit.rlim_cur;
		setrlimit(limits[i].resource, &limit);
	}
}

void sandbox_enter(const struct sandbox_config *config, struct sandbox_report *ret)
{
	*ret = (struct sandbox_report){ 0 };
	limit_resources();
	prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0);
	ret->landlock = landlock_enter(config, &ret->without_landlock);
	ret->without_system_calls = system_calls_limit();
	ret->system_calls = !ret->without_system_calls;
}
