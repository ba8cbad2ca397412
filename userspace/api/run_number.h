/* SPDX-License-Identifier: MIT */
/* The id of a run as a parameter. */
#ifndef API_RUN_NUMBER_H
#define API_RUN_NUMBER_H

#include "base/run.h"
#include "http/param.h"

/* Into a uint32_t, its number. */
#define PARAM_RUN(key, type, member) PARAM_ROW(key, run_number_read, type, member, uint32_t)
param_read run_number_read;

#endif
