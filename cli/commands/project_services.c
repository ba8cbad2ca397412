/* SPDX-License-Identifier: MIT */
#include "cli/commands/project_services.h"

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/arguments/check.h"
#include "cli/command.h"
#include "cli/project/config.h"
#include "cli/render/render.h"

static int find_config(const struct command_line *line, struct config **ret)
{
	char cwd[PATH_MAX];
	int r;

	if (!getcwd(cwd, sizeof(cwd)))
		return render_usage_error(line, "this directory was deleted");
	r = check_config(line, cwd, ret);
	if (r)
		return r;
	if (!*ret)
		return render_usage_error(line,
					  "there is no " CONFIG_NAME
					  " here or above that pd obeys; pd help %s shows one",
					  line->command->name);
	if (!(*ret)->n)
		return render_usage_error(line, "%s names no services", (*ret)->path);
	return 0;
}

static int refuse_unknown(const struct command_line *line, const struct config *config,
			  const char *name)
{
	const char *near = config_nearest(config, name);

	return render_usage_error(line, "%s has no service '%.100s'%s%s%s", config->path, name,
				  near ? "; did you mean '" : "", near ? near : "",
				  near ? "'?" : "");
}

static int want(const struct command_line *line, const struct config *config, bool *wanted)
{
	for (int i = 0; i < line->n_args; i++) {
		const struct config_service *s = config_service_of(config, line->args[i]);

		if (!s)
			return refuse_unknown(line, config, line->args[i]);
		wanted[s - config->services] = true;
	}
	for (size_t i = 0; !line->n_args && i < config->n; i++)
		wanted[i] = true;
	return 0;
}

int project_services(const struct command_line *line, struct config **ret, bool **ret_wanted)
{
	_cleanup_(config_freep) struct config *config = NULL;
	_cleanup_free_ bool *wanted = NULL;
	int r = find_config(line, &config);

	if (r)
		return r;
	wanted = render_must(calloc(config->n, sizeof(*wanted)));
	r = want(line, config, wanted);
	if (r)
		return r;
	*ret = TAKE_PTR(config);
	*ret_wanted = TAKE_PTR(wanted);
	return 0;
}
