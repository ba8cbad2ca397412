/* SPDX-License-Identifier: MIT */
/* The two sysctls that set ports aside, and their text, which may be long. */
#ifndef BASE_RESERVED_H
#define BASE_RESERVED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RESERVED_RANGE_PATH "/proc/sys/net/ipv4/ip_local_port_range"
#define RESERVED_LIST_PATH  "/proc/sys/net/ipv4/ip_local_reserved_ports"

/* The text of the first: "32768\t60999".  False also for a text that is no range.  Pure. */
bool reserved_in_range(const char *text, uint16_t port);

/* Of the other: "8080,9148-9150".  What is no port or range is passed over.  Pure. */
bool reserved_in_list(const char *text, uint16_t port);
/* How many ports from first to last are in it, where none is in it twice: so the kernel writes it.
 */
int reserved_of_range(const char *text, uint16_t first, uint16_t last);

/* A file below /proc/sys, which stays open; sysctl_file_deinit(). */
struct sysctl_file {
	int fd; /* -1 = not open */
	char *text;
	size_t size;
};

/* Its text as it is now, whole; false where it cannot be read. */
bool sysctl_file_read(struct sysctl_file *file, const char *path);
void sysctl_file_deinit(struct sysctl_file *file);

#endif
