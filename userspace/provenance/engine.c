/* SPDX-License-Identifier: MIT */
#include "provenance/engine.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/procfs.h"

bool engine_is_container_id(const char *s)
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

bool engine_forward_parse(const char *cmdline, struct engine_forward *ret)
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
			      struct engine_forward *ret)
{
	const struct process_ancestor *parent = process->n_ancestors ? process->ancestors : NULL;
	char host[NET_ADDR_STR_SIZE];
	uint16_t published = port;

	port_behind(line, "-host-port", &published);
	if (word_behind(line, "-host-ip", host, sizeof(host)) &&
	    net_addr_parse(host, &ret->host_family, &ret->host_addr))
		ret->host_family = 0;
	return engine_forward_parse(line, ret) && published == port &&
	       (process->uid == 0 || (parent && !strcmp(parent->comm, "dockerd")));
}

/* An engine's own ports. */

enum own_port {
	OWN_API,
	OWN_METRICS,
	OWN_SWARM,
	OWN_ROOTLESS_API,
};

static const struct engine_own_port own_ports[] = {
	[OWN_API] = { "API",
		      "take its tcp:// address out of dockerd's -H options, or of \"hosts\" in "
		      "/etc/docker/daemon.json, and restart the service docker" },
	[OWN_METRICS] = { "metrics", "take --metrics-addr out of dockerd's options, or "
				     "\"metrics-addr\" out of "
				     "/etc/docker/daemon.json, and restart the service docker" },
	[OWN_SWARM] = { "swarm", "docker swarm leave closes it, and ends what the swarm runs here "
				 "(docker node ls tells who else is in it)" },
	[OWN_ROOTLESS_API] = { "API",
			       "take its -p out of DOCKERD_ROOTLESS_ROOTLESSKIT_FLAGS, and restart "
			       "the user's service docker" },
};

/* Those that need no option. */
static const struct {
	uint16_t port;
	enum own_port own;
} registered_ports[] = {
	{ 2375, OWN_API },
	{ 2376, OWN_API },
	{ 2377, OWN_SWARM },
	{ 7946, OWN_SWARM },
};

/* "-H tcp://127.0.0.1:2375,fd://": one of the addresses behind a mark ends in the port, or, with
 * `more`, has it before another colon. */
static bool has_address(const char *line, const char *mark, uint16_t port, const char *more)
{
	char text[16];

	snprintf(text, sizeof(text), ":%u%s", port, more);
	for (const char *at = strstr(line, mark); at; at = strstr(at, mark)) {
		const char *found;
		size_t length, n = strlen(text);

		at += strlen(mark);
		length = strcspn(at, " ,");
		found = memmem(at, length, text, n);
		if (found && (*more || found + n == at + length))
			return true;
	}
	return false;
}

/* It reserves ports where userland-proxy is off, and listens for itself where it is told to. */
static bool read_dockerd(const struct process *process, const char *line, uint16_t port,
			 struct engine_forward *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(registered_ports); i++)
		if (registered_ports[i].port == port)
			ret->own = &own_ports[registered_ports[i].own];
	if (has_address(line, "tcp://", port, ""))
		ret->own = &own_ports[OWN_API];
	else if (has_address(line, "--metrics-addr ", port, "") ||
		 has_address(line, "--metrics-addr=", port, ""))
		ret->own = &own_ports[OWN_METRICS];
	return process->uid == 0;
}

/* What was published to dockerd itself when it was started: "-p 127.0.0.1:2376:2376/tcp". */
static bool read_rootlesskit(const struct process *process, const char *line, uint16_t port,
			     struct engine_forward *ret)
{
	if (has_address(line, " -p ", port, ":") || has_address(line, " --publish ", port, ":") ||
	    has_address(line, " --publish=", port, ":"))
		ret->own = &own_ports[OWN_ROOTLESS_API];
	return true;
}

/* Its socket is named after the container: ".../libpod/tmp/ID.net". */
static bool read_slirp4netns(const struct process *process, const char *line, uint16_t port,
			     struct engine_forward *ret)
{
	char path[PROCESS_PATH_SIZE];
	const char *name;

	if (!word_behind(line, "--api-socket", path, sizeof(path)))
		return false;
	name = strrchr(path, '/');
	if (name && engine_is_container_id(name + 1))
		snprintf(ret->container, sizeof(ret->container), "%.12s", name + 1);
	return true;
}

static bool read_pasta(const struct process *process, const char *line, uint16_t port,
		       struct engine_forward *ret)
{
	return strstr(line, " --netns ");
}

static bool read_conmon(const struct process *process, const char *line, uint16_t port,
			struct engine_forward *ret)
{
	char id[CONTAINER_HEX + 1];

	if (!word_behind(line, "-c", id, sizeof(id)) || !engine_is_container_id(id))
		return false;
	snprintf(ret->container, sizeof(ret->container), "%.12s", id);
	return true;
}

static const struct {
	const char *comm, *engine;
	bool lists_by_port;
	/* false: it only has the name; NULL = its arguments tell nothing */
	bool (*read)(const struct process *process, const char *line, uint16_t port,
		     struct engine_forward *ret);
} forwarders[] = {
	{ "docker-proxy", "docker", true, read_docker_proxy },
	{ "dockerd", "docker", true, read_dockerd },
	{ "rootlesskit", "docker", true, read_rootlesskit },
	{ "rootlessport", "podman", false, NULL },
	{ "rootlessport-ch", "podman", false, NULL }, /* rootlessport-child, as comm cuts it */
	{ "slirp4netns", "podman", false, read_slirp4netns },
	{ "pasta", "podman", false, read_pasta },
	{ "pasta.avx2", "podman", false, read_pasta },
	{ "conmon", "podman", false, read_conmon },
};

bool engine_forward_find(const struct process *process, uint16_t port, struct engine_forward *ret)
{
	char line[PROCFS_CMDLINE_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(forwarders); i++) {
		if (strcmp(process->comm, forwarders[i].comm) != 0)
			continue;
		*ret = (struct engine_forward){ .engine = forwarders[i].engine,
						.uid = process->uid,
						.lists_by_port = forwarders[i].lists_by_port };
		/* of one that ended nothing can be read, and nothing is asked */
		return !procfs_cmdline(&process->id, line, sizeof(line)) &&
		       (!forwarders[i].read || forwarders[i].read(process, line, port, ret));
	}
	return false;
}
