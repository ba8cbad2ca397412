/* SPDX-License-Identifier: MIT */
/* pd: reads the command line and hands it to the command that it names. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/outcome.h"
#include "cli/arguments/options.h"
#include "cli/client/handover.h"
#include "cli/command.h"
#include "cli/commands/help.h"
#include "cli/render/render.h"

/* What was printed must have arrived: a full disk may not look like success. */
static int finish(int exit_code)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return exit_code;
	/* The reader of a pipe left on purpose: nothing to complain about, nothing succeeded. */
	if (errno != EPIPE)
		render_note("cannot write the result: %s", strerror(errno));
	return outcome_row(OUTCOME_FAILED)->exit_code;
}

static int run(const struct options *options)
{
	static const struct command_line no_arguments = { .table = commands };

	if (options->version)
		return cmd_version.run(&cmd_version, &options->line);
	if (options->help && options->command) {
		help_command(options->command);
		return 0;
	}
	if (options->help)
		return cmd_help.run(&cmd_help, &no_arguments);
	if (!options->command && options->line.json)
		return render_usage_error(true, NULL, "no command given; pd help lists them all");
	if (!options->command) {
		help_all(stderr, commands);
		return outcome_row(OUTCOME_BAD_REQUEST)->exit_code;
	}
	if (!options->command->leaves_daemons)
		handover();
	return options->command->run(options->command, &options->line);
}

int main(int argc, char **argv)
{
	struct options options;
	char error[512];
	bool json = options_want_json(argc, argv);
	int r = options_parse(argc, argv, commands, &options, error, sizeof(error));

	render_setup(options.color);
	if (r < 0)
		return finish(render_usage_error(
			json, options.command ? options.command->name : NULL, "%s", error));
	return finish(run(&options));
}
