/* SPDX-License-Identifier: MIT */
/* A port as errors and browsers show it, for who pastes that. */
#ifndef CLI_ARGUMENTS_ENDPOINT_H
#define CLI_ARGUMENTS_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/net.h"

/*
 * Reads "127.0.0.1:3000", ":::3000", "[::1]:3000", "localhost:3000" or a URL such as
 * "http://localhost:3000/x"; false where the text is none of these, as "3000" and "shop:web" are
 * none.  ret_addr: the address that a program asked for, as net_addr_parse() takes it; "" where the
 * text names a host, a URL's server, or every address.  Both are set where it
 * returns true.  Pure.
 */
bool endpoint_read(const char *text, uint16_t *ret_port, char ret_addr[static NET_ADDR_STR_SIZE]);

#endif
