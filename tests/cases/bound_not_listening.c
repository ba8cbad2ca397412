/* SPDX-License-Identifier: MIT */
/* bind() without listen(): most tools do not show it. */
#include "case.h"

const struct scenario scenario = {
	.verdict = "bound_not_listening",
	.run_holder = run_bound,
	.remedy = stop_holder,
};
