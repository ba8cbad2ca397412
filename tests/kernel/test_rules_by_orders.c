/* SPDX-License-Identifier: MIT */
/* The same rules, where bpf() writes into no map any more and orders do. */
#define BY_ORDERS
#include "kernel/test_rules.c"
