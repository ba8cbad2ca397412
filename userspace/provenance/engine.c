/* SPDX-License-Identifier: MIT */
#include "provenance/engine.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/procfs.h"

#define API_PORT_FIRST 2375 /* IANA's docker and docker-s */
#define API_PORT_LAST  2376

bool why_is_container_id(const char *s)
{
	int n = 0;

	while (isxdigit((unsigned char)s[n]))
		n++;
	return n == CONTAINER_HEX;
}

/* The word behind a name, in a copy that the caller may cut up; NULL = not there. */
static const char *word_behind(const char *line, const char *name, char *ret, size_t size)
{
	const char *at = line;
	size_t length = strlen(name), n;

	while ((at = strstr(at, name)) && (at == line || at[-1] != ' ' || at[length] != ' '))
		at += length;
	if (!at)
		return NULL;
	at += length + 1;
	n = strcspn(at, " ");
	if (!n || n >= size)
		return NULL;
	snprintf(ret, size, "%.*s", (int)n, at);
	return ret;
}

static bool port_behind(const char *line, const char *name, uint16_t *ret)
{
	char text[8];

	return word_behind(line, name, text, sizeof(text)) && net_port_parse(text, ret) == 0;
}

bool why_forward_parse(const char *cmdline, struct why_forward *ret)
{
	char addr[NET_ADDR_STR_SIZE];

	if (!word_behind(cmdline, "-container-ip", addr, sizeof(addr)) ||
	    !port_behind(cmdline, "-container-port", &ret->port))
		return false;
	if (net_addr_parse(addr, &ret->family, &ret->addr) == 0)
		return true;
	ret->port = 0;
	return false;
}

/* --- each kind's own look at its command line ------------------------------------------------ */

/* One of root's, or of a dockerd of its own user: a name alone says nothing. */
static bool read_docker_proxy(const struct process *process, const char *line, uint16_t port,
			      struct why_forward *ret)
{
	const struct process_ancestor *parent = process->n_ancestors ? process->ancestors : NULL;
	uint16_t published = port;

	port_behind(line, "-host-port", &published);
	return why_forward_parse(line, ret) && published == port &&
	       (process->uid == 0 || (parent && !strcmp(parent->comm, "dockerd")));
}

/* It reserves ports where userland-proxy is off, and listens for its clients where it is told to.
 */
static bool read_dockerd(const struct process *process, const char *line, uint16_t port,
			 struct why_forward *ret)
{
	char option[16];
	const char *at;

	snprintf(option, sizeof(option), ":%u", port);
	for (at = strstr(line, "tcp://"); at; at = strstr(at + 1, "tcp://")) {
		size_t length = strcspn(at, " ,"), n = strlen(option);

		if (length > n && !strncmp(at + length - n, option, n))
			ret->is_api = true;
	}
	ret->is_api |= port >= API_PORT_FIRST && port <= API_PORT_LAST;
	return process->uid == 0;
}

/* Its socket is named after the container: ".../libpod/tmp/ID.net". */
static bool read_slirp4netns(const struct process *process, const char *line, uint16_t port,
			     struct why_forward *ret)
{
	char path[PROCESS_PATH_SIZE];
	const char *name;

	if (!word_behind(line, "--api-socket", path, sizeof(path)))
		return false;
	name = strrchr(path, '/');
	if (name && why_is_container_id(name + 1))
		snprintf(ret->container, sizeof(ret->container), "%.12s", name + 1);
	return true;
}

static bool read_pasta(const struct process *process, const char *line, uint16_t port,
		       struct why_forward *ret)
{
	return strstr(line, " --netns ");
}

static bool read_conmon(const struct process *process, const char *line, uint16_t port,
			struct why_forward *ret)
{
	char id[CONTAINER_HEX + 1];

	if (!word_behind(line, "-c", id, sizeof(id)) || !why_is_container_id(id))
		return false;
	snprintf(ret->container, sizeof(ret->container), "%.12s", id);
	return true;
}

static const struct {
	const char *comm, *engine;
	bool lists_by_port;
	/* false: it only has the name; NULL = its arguments tell nothing */
	bool (*read)(const struct process *process, const char *line, uint16_t port,
		     struct why_forward *ret);
} forwarders[] = {
	{ "docker-proxy", "docker", true, read_docker_proxy },
	{ "dockerd", "docker", true, read_dockerd },
	{ "rootlesskit", "docker", true, NULL },
	{ "rootlessport", "podman", false, NULL },
	{ "rootlessport-ch", "podman", false, NULL }, /* rootlessport-child, as comm cuts it */
	{ "slirp4netns", "podman", false, read_slirp4netns },
	{ "pasta", "podman", false, read_pasta },
	{ "pasta.avx2", "podman", false, read_pasta },
	{ "conmon", "podman", false, read_conmon },
};

bool why_forward_find(const struct process *process, uint16_t port, struct why_forward *ret)
{
	char line[PROCFS_CMDLINE_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(forwarders); i++) {
		if (strcmp(process->comm, forwarders[i].comm) != 0)
			continue;
		*ret = (struct why_forward){ .engine = forwarders[i].engine,
					     .uid = process->uid,
					     .lists_by_port = forwarders[i].lists_by_port };
		/* of one that ended nothing can be read, and nothing is asked */
		return !procfs_cmdline(&process->id, line, sizeof(line)) &&
		       (!forwarders[i].read || forwarders[i].read(process, line, port, ret));
	}
	return false;
}
