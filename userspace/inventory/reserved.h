/* SPDX-License-Identifier: MIT */
/* The two sysctls that set ports aside.  Pure: texts in, answers out. */
#ifndef INVENTORY_RESERVED_H
#define INVENTORY_RESERVED_H

#include <stdbool.h>
#include <stdint.h>

/* ip_local_port_range: "32768\t60999".  False also for a text that is no range. */
bool reserved_in_range(const char *text, uint16_t port);

/* ip_local_reserved_ports: "8080,9148-9150".  What is no port or range is passed over. */
bool reserved_in_list(const char *text, uint16_t port);

#endif
