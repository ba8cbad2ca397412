/* SPDX-License-Identifier: MIT */
#include "api/routes.h"

#include <stddef.h>

#define REFER_TO_ROUTE(name) &name,
const struct route *const routes_all[] = { ROUTES(REFER_TO_ROUTE) NULL };
