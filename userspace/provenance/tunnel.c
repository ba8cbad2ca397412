/* SPDX-License-Identifier: MIT */
#include "provenance/tunnel.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/net.h"
#include "base/procfs.h"

/* "[ADDR:]PORT:HOST:HOSTPORT", "[ADDR:]PORT", an IPv6 address in brackets: is it of this port? */
static bool listens_on(const char *spec, uint16_t port)
{
	char part[8];
	size_t skip = *spec == '[' ? strcspn(spec, "]") : 0;
	const char *at = spec + skip + (spec[skip] == ']'), *first = at;
	uint16_t number;

	for (int i = 0; i < 2; i++) {
		size_t n = strcspn(at, ":");

		snprintf(part, sizeof(part), "%.*s", (int)(n < sizeof(part) ? n : 0), at);
		if ((i == 0 ? at == first : true) && net_port_parse(part, &number) == 0)
			return number == port;
		if (!at[n])
			return false;
		at += n + 1;
	}
	return false;
}

bool tunnel_forward(const struct process_id *id, uint16_t port, char ret[TUNNEL_FORWARD_SIZE])
{
	char line[PROCFS_CMDLINE_SIZE];
	ssize_t size = procfs_argv(id, line, sizeof(line));

	ret[0] = '\0';
	for (ssize_t i = 0; i < size; i += (ssize_t)strlen(line + i) + 1) {
		const char *word = line + i, *spec = word + 2;

		if (*word != '-' || !word[1] || !strchr("LD", word[1]))
			continue;
		if (!*spec && i + 3 < size)
			spec = word + 3; /* the next word */
		if (listens_on(spec, port) && strlen(spec) + sizeof("-L ") <= TUNNEL_FORWARD_SIZE) {
			snprintf(ret, TUNNEL_FORWARD_SIZE, "-%c %s", word[1], spec);
			return true;
		}
	}
	return false;
}

/* "ssh: /home/ann/.ssh/cm-host [mux]" */
static bool read_control(const char *title, char ret[TUNNEL_PATH_SIZE])
{
	static const char begin[] = "ssh: ", end[] = " [mux]";
	size_t length = strlen(title), skip = strlen(begin), back = strlen(end);

	if (strncmp(title, begin, skip) != 0 || length <= skip + back ||
	    strcmp(title + length - back, end) != 0 || length - skip - back >= TUNNEL_PATH_SIZE)
		return false;
	snprintf(ret, TUNNEL_PATH_SIZE, "%.*s", (int)(length - skip - back), title + skip);
	return true;
}

static bool is_editor(const char *line)
{
	static const char *const places[] = { "/.vscode-server/", "/.vscode-server-insiders/",
					      "/.cursor-server/", "/code-server/",
					      "/.windsurf-server/" };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (strstr(line, places[i]))
			return true;
	return false;
}

void tunnel_find(const struct process *process, uint16_t port, const char *then, struct tunnel *ret)
{
	char line[PROCFS_CMDLINE_SIZE];

	*ret = (struct tunnel){ .kind = TUNNEL_NONE };
	if (procfs_cmdline(&process->id, line, sizeof(line)))
		return;
	if (!strcmp(process->comm, "ssh")) {
		ret->kind = TUNNEL_SSH;
		if (read_control(line, ret->control))
			ret->kind = TUNNEL_SSH_SHARED;
		if (!tunnel_forward(&process->id, port, ret->forward))
			snprintf(ret->forward, sizeof(ret->forward), "%s", then);
	} else if (!strncmp(process->comm, "sshd", strlen("sshd")) &&
		   strncmp(line, "sshd: ", 6) == 0 && !strstr(line, "[listener]")) {
		ret->kind = TUNNEL_SSHD;
	} else if (is_editor(line)) {
		ret->kind = TUNNEL_EDITOR;
	}
}
