/* SPDX-License-Identifier: MIT */
#include "inventory/reserved.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "inventory/inventory.h"

#define RANGE_PATH "/proc/sys/net/ipv4/ip_local_port_range"
#define LIST_PATH  "/proc/sys/net/ipv4/ip_local_reserved_ports"

/* A number at *text, which moves behind it; -1 when there is none. */
static long read_number(const char **text)
{
	char *end;
	long number;

	if (!isdigit((unsigned char)**text))
		return -1;
	number = strtol(*text, &end, 10);
	*text = end;
	return number;
}

bool reserved_in_range(const char *text, uint16_t port)
{
	long first = read_number(&text), last;

	if (first < 0)
		return false;
	while (*text == ' ' || *text == '\t')
		text++;
	last = read_number(&text);
	return last >= 0 && port >= first && port <= last;
}

bool reserved_in_list(const char *text, uint16_t port)
{
	while (*text) {
		long first = read_number(&text), last = first;

		if (first < 0) {
			text++;
			continue;
		}
		if (*text == '-') {
			text++;
			last = read_number(&text);
		}
		if (port >= first && port <= last)
			return true;
	}
	return false;
}

/* The first line of a file, however long (a list of all odd ports has 190 kB); NULL without one. */
static char *read_line(const char *path)
{
	_cleanup_file_ FILE *file = fopen(path, "re");
	_cleanup_free_ char *line = NULL;
	size_t size = 0;

	if (!file || getline(&line, &size, file) < 0)
		return NULL;
	return TAKE_PTR(line);
}

bool inventory_port_is_reserved(struct inventory *inv, uint16_t port)
{
	_cleanup_free_ char *range = read_line(RANGE_PATH), *list = NULL;

	if (range && reserved_in_range(range, port))
		return true;
	list = read_line(LIST_PATH);
	return list && reserved_in_list(list, port);
}
