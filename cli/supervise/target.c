/* SPDX-License-Identifier: MIT */
#include "cli/supervise/target.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/run.h"
#include "cli/arguments/check.h"
#include "cli/project/config.h"

static int read_port(const struct command_line *line, const char *text, struct target *ret)
{
	int r = check_port(line, text, &ret->port);

	snprintf(ret->name, sizeof(ret->name), "port %u", ret->port);
	return r;
}

/* In a project the service that its file has, or what was typed. */
static int read_service(const struct command_line *line, const char *text, struct target *ret)
{
	_cleanup_(config_freep) struct config *config = NULL;
	const struct config_service *service;
	char cwd[PATH_MAX];
	int r = getcwd(cwd, sizeof(cwd)) ? check_config(line, cwd, &config) : 0;

	service = !r && config ? config_service_of(config, text) : NULL;
	if (service)
		text = service->id;
	r = r ?: check_identity(line, text);
	if (r)
		return r;
	snprintf(ret->service, sizeof(ret->service), "%s", text);
	snprintf(ret->name, sizeof(ret->name), "%s", text);
	return 0;
}

int target_read(const struct command_line *line, const char *text, struct target *ret)
{
	*ret = (struct target){ .run = run_id_parse(text) };
	if (ret->run) {
		snprintf(ret->name, sizeof(ret->name), "%s", text);
		return 0;
	}
	if (*text == ':' || text[strspn(text, "0123456789")] == '\0')
		return read_port(line, text + (*text == ':'), ret);
	return read_service(line, text, ret);
}
