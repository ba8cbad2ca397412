/* SPDX-License-Identifier: MIT */
#include "reconcile/address.h"

#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

/* include/uapi/linux/if_addr.h */
#define FLAG_DADFAILED 0x08
#define FLAG_TENTATIVE 0x40

/* Of a line with its NUL.  sscanf() measures all of its text first: each line is read by itself. */
#define LINE_SIZE 256

/* The line at *text, which moves behind it; false behind the last one. */
static bool next_line(const char **text, char ret[static LINE_SIZE])
{
	size_t n = *text ? strcspn(*text, "\n") : 0;

	if (!*text || !**text)
		return false;
	snprintf(ret, LINE_SIZE, "%.*s", (int)n, *text);
	*text += n + ((*text)[n] == '\n');
	return true;
}

static bool prefix_covers(const uint8_t net[4], unsigned bits, const uint8_t addr[4])
{
	uint32_t a = (uint32_t)net[0] << 24 | net[1] << 16 | net[2] << 8 | net[3];
	uint32_t b = (uint32_t)addr[0] << 24 | addr[1] << 16 | addr[2] << 8 | addr[3];

	return bits <= 32 && (!bits || !((a ^ b) >> (32 - bits)));
}

/*
 * "|-- 127.0.0.0", and below it "/8 host LOCAL" for each route to that.  inet_bind() takes what is
 * local, broadcast or multicast (inet_addr_valid_or_nonlocal).
 */
enum why_address_state address_in_fib_trie(const char *text, const uint8_t v4[4])
{
	unsigned n[4] = { 0 }, bits;
	uint8_t net[4] = { 0 };
	bool any = false;
	char type[16], line[LINE_SIZE];

	if (v4[0] >= 224)
		return ADDRESS_LOCAL;
	while (next_line(&text, line)) {
		if (sscanf(line, " |-- %u.%u.%u.%u", &n[0], &n[1], &n[2], &n[3]) == 4) {
			for (int i = 0; i < 4; i++)
				net[i] = (uint8_t)n[i];
			continue;
		}
		if (sscanf(line, " /%u %*s %15s", &bits, type) != 2)
			continue;
		any = true;
		if ((!strcmp(type, "LOCAL") || !strcmp(type, "BROADCAST")) &&
		    prefix_covers(net, bits, v4))
			return ADDRESS_LOCAL;
	}
	return any ? ADDRESS_NONLOCAL : ADDRESS_LOCAL;
}

static const char *find_inet6(const char *text, const uint8_t v6[16])
{
	char wanted[33];

	for (int i = 0; i < 16; i++)
		snprintf(wanted + 2 * i, 3, "%02x", v6[i]);
	return strstr(text, wanted);
}

/* "fe80…0001 04 40 20 80 eth0": address, index, prefix, scope, flags, name. */
enum why_address_state address_in_if_inet6(const char *text, const uint8_t v6[16])
{
	const char *line = find_inet6(text, v6);
	unsigned flags;

	if (!line || sscanf(line + 32, " %*x %*x %*x %x", &flags) != 1)
		return ADDRESS_NONLOCAL;
	if (flags & FLAG_DADFAILED)
		return ADDRESS_DADFAILED;
	return flags & FLAG_TENTATIVE ? ADDRESS_TENTATIVE : ADDRESS_LOCAL;
}

/* Every interface that is up is in the group of all hosts (ip_mc_up): its line behind another. */
static const char *find_up(const char *line, const char *name)
{
	const size_t length = strlen(name);

	while ((line = strchr(line, '\n'))) {
		const char *tab = strchr(++line, '\t');

		if (*line != '\t' && tab && !strncmp(tab + 1, name, length) &&
		    (tab[1 + length] == ' ' || tab[1 + length] == ':'))
			return line;
	}
	return NULL;
}

/*
 * An interface that is down and was up before: it has sent something.  Those lose their IPv6
 * addresses; interfaces that were never up had none.
 */
static bool some_link_went_down(const struct address_tables *t)
{
	const char *rest = t->dev, *up = t->igmp;
	char name[32], line[LINE_SIZE];
	uint64_t sent;

	while (next_line(&rest, line)) {
		if (sscanf(line, " %31[^: |]: %*u %*u %*u %*u %*u %*u %*u %*u %" SCNu64, name,
			   &sent) != 2 ||
		    !sent)
			continue;
		/* both tables have the interfaces in one order: the next one is soon found */
		up = find_up(up, name);
		if (!up)
			up = find_up(t->igmp, name);
		if (!up)
			return true;
	}
	return false;
}

/* The interface that has the address, by its name at the end of the line. */
static bool is_link_up(const char *if_inet6, const char *igmp, const uint8_t v6[16])
{
	const char *line = find_inet6(if_inet6, v6);
	char name[32];

	return line && sscanf(line, "%*s %*x %*x %*x %*x %31s", name) == 1 && find_up(igmp, name);
}

enum why_address_state address_v6(const struct address_tables *t, const struct net_addr *a,
				  bool *ret_ipv6_disabled)
{
	const uint8_t *v6 = a->bytes;
	enum why_address_state state;
	bool loopback_up;

	if (!t->if_inet6 || !t->igmp)
		return ADDRESS_UNKNOWN;
	loopback_up = find_up(t->igmp, "lo");
	/* with IPv6 on, a loopback that is up has ::1 */
	*ret_ipv6_disabled = loopback_up &&
			     address_in_if_inet6(t->if_inet6, in6addr_loopback.s6_addr) ==
				     ADDRESS_NONLOCAL;
	state = address_in_if_inet6(t->if_inet6, v6);
	if (state == ADDRESS_TENTATIVE && !is_link_up(t->if_inet6, t->igmp, v6))
		return ADDRESS_LINK_DOWN; /* the check waits for the link */
	if (v6[0] == 0xff)
		return ADDRESS_LOCAL; /* a group */
	if (state != ADDRESS_NONLOCAL || *ret_ipv6_disabled)
		return state;
	if (net_addr_is_loopback(AF_INET6, a) ? !loopback_up : some_link_went_down(t))
		return ADDRESS_LINK_DOWN;
	return state;
}
