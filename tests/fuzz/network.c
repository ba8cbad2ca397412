/* SPDX-License-Identifier: MIT */
/* What the kernel prints of addresses, interfaces and ports; users name interfaces, and fill tables
 * in namespaces of their own. */
#include "base/reserved.h"
#include "fuzz/fuzz.h"

/* for what takes texts that have been read */
#include "reconcile/address.c"

/* "8080,9148-9150" without a loop over what was read before. */
static bool naive_in_list(const char *text, long port)
{
	bool found = false;

	while (*text) {
		char *end;
		long first, last;

		if (*text < '0' || *text > '9') {
			text++;
			continue;
		}
		first = last = strtol(text, &end, 10);
		if (*end == '-' && end[1] >= '0' && end[1] <= '9')
			last = strtol(end + 1, &end, 10);
		else if (*end == '-')
			last = -1; /* a range without an end has no ports */
		text = end;
		found = found || (port >= first && port <= last);
	}
	return found;
}

static void check_link(const char *text, const uint8_t address[16])
{
	const struct address_tables tables = { text, text, text };
	bool disabled = false;
	struct net_addr a;

	memcpy(a.bytes, address, sizeof(a.bytes));
	address_v6(&tables, &a, &disabled);
	some_link_went_down(&tables);
}

int fuzz(const uint8_t *bytes, size_t size)
{
	static const uint8_t address[16] = { 0xfe, 0x80, [15] = 1 };
	_cleanup_free_ char *text = fuzz_text(bytes, size);
	static const uint16_t ports[] = { 1, 80, 3000, 9149, 65535 };
	const uint8_t *ipv4 = size >= 4 ? bytes + size - 4 : address;
	enum why_address_state state = address_in_fib_trie(text, ipv4);

	must(state == ADDRESS_LOCAL || state == ADDRESS_NONLOCAL);
	state = address_in_if_inet6(text, address);
	must(state == ADDRESS_LOCAL || state == ADDRESS_NONLOCAL || state == ADDRESS_TENTATIVE ||
	     state == ADDRESS_DADFAILED);
	check_link(text, address);
	for (size_t i = 0; i < ARRAY_SIZE(ports); i++) {
		must(reserved_in_list(text, ports[i]) == naive_in_list(text, ports[i]));
		reserved_in_range(text, ports[i]);
	}
	return 0;
}
