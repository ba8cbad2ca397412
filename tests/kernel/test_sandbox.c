/* SPDX-License-Identifier: MIT */
/* The same without sanitizers, which need calls that are refused. */
#include "unit/daemon/test_sandbox.c"
