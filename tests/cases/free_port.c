/* SPDX-License-Identifier: MIT */
/* Nobody is on the port. */
#include "case.h"

const struct scenario scenario = { .verdict = NULL };
