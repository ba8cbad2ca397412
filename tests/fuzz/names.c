/* SPDX-License-Identifier: MIT */
/* Names, patterns, ranges, ports and addresses as people type them. */
#include <sys/socket.h>

#include "base/identity.h"
#include "base/net.h"
#include "base/session.h"
#include "fuzz/fuzz.h"

static void check_names(const char *text)
{
	const char *why = NULL;
	char part[IDENTITY_PART_MAX + 1];

	identity_part_from(text, part);
	must(identity_check(part, NULL) == 0 && !strchr(part, ':'));
	if (identity_check(text, &why) < 0)
		must(why);
	else
		must(strlen(text) <= IDENTITY_MAX && pattern_check(text, NULL) == 0 &&
		     pattern_match(text, text) && lock_name_check(text, &why) + 1);
	if (lock_name_check(text, &why) == 0)
		must(strlen(text) <= LOCK_NAME_MAX);
	if (session_ref_is_legal(text))
		must(!strpbrk(text, " $`;\n'\"\\|&<>()"));
	if (pattern_check(text, &why) == 0)
		must(strlen(text) <= PATTERN_MAX);
	/* any text may be matched, and everything fits "*" */
	must(pattern_match("*", text));
	pattern_match(text, part);
	must(pattern_has_wildcard(text) || pattern_match(text, text));
}

static void check_numbers(const char *text)
{
	char shown[NET_ADDR_STR_SIZE];
	struct net_addr addr, again;
	struct port_range range;
	uint8_t family, same;
	uint16_t port;

	if (net_port_parse(text, &port) == 0) {
		char written[8];

		snprintf(written, sizeof(written), "%u", port);
		must(port && strcmp(written, text) == 0);
	}
	if (port_range_parse(text, &range) == 0)
		must(range.first && range.first <= range.last &&
		     port_candidate(text, range, 3) >= range.first &&
		     port_candidate(text, range, 3) <= range.last);
	if (net_addr_parse(text, &family, &addr) < 0)
		return;
	must(family == AF_INET || family == AF_INET6);
	net_addr_format(family, &addr, shown);
	must(net_addr_parse(shown, &same, &again) == 0 && same == family);
	must(memcmp(&addr, &again, sizeof(addr)) == 0);
}

int fuzz(const uint8_t *bytes, size_t size)
{
	_cleanup_free_ char *text = fuzz_text(bytes, size);

	check_names(text);
	check_numbers(text);
	return 0;
}
