/* SPDX-License-Identifier: MIT */
#include "cli/arguments/endpoint.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"

#define ENDPOINT_SIZE 320 /* of host and port: a longer name is no host's */

static const struct {
	const char *scheme;
	uint16_t port; /* that a URL means which says none */
} schemes[] = { { "http://", 80 }, { "https://", 443 }, { "ws://", 80 }, { "wss://", 443 } };

/* What follows the scheme, and its port; the text itself and 0 where it has none. */
static const char *skip_scheme(const char *text, uint16_t *ret_port)
{
	*ret_port = 0;
	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
		size_t n = strlen(schemes[i].scheme);

		if (strncasecmp(text, schemes[i].scheme, n) != 0)
			continue;
		*ret_port = schemes[i].port;
		return text + n;
	}
	return text;
}

/* Cuts the port off `host`, and the brackets of an IPv6 address; false where none can be meant. */
static bool split(char *host, uint16_t *port)
{
	char *end = *host == '[' ? strchr(host, ']') : NULL;
	char *colon = strrchr(end ? end : host, ':');

	if (*host == '[' && (!end || (end[1] && end[1] != ':')))
		return false;
	if (colon && net_port_parse(colon + 1, port))
		return false;
	if (colon)
		*colon = '\0';
	if (end) {
		*end = '\0';
		memmove(host, host + 1, strlen(host));
	}
	return *host && *port;
}

bool endpoint_read(const char *text, uint16_t *ret_port, char ret_addr[static NET_ADDR_STR_SIZE])
{
	char host[ENDPOINT_SIZE];
	uint16_t port;
	const char *rest = skip_scheme(text, &port);
	bool is_url = port;
	struct net_addr address;
	uint8_t family;
	bool is_address;

	if (strcspn(rest, "/?#") >= sizeof(host))
		return false;
	snprintf(host, sizeof(host), "%.*s", (int)strcspn(rest, "/?#"), rest);
	if (!split(host, &port))
		return false;
	is_address = !net_addr_parse(host, &family, &address);
	if (!is_url && !is_address)
		return false;
	*ret_port = port;
	ret_addr[0] = '\0';
	/* a server that asks for "::" or "*" asks for every address, which is what is asked anyway
	 */
	if (is_address && !is_url && strcmp(host, "localhost") != 0 && strcmp(host, "::") != 0 &&
	    strcmp(host, "*") != 0)
		snprintf(ret_addr, NET_ADDR_STR_SIZE, "%.*s", NET_ADDR_STR_SIZE - 1, host);
	return true;
}
