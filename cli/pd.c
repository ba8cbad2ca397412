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
	const struct command *command = options->line.command;
	static const struct command_line no_arguments = { .table = commands };

	if (options->version)
		return cmd_version.run(&options->line);
	if (options->help && command) {
		help_command(command);
		return 0;
	}
	if (options->help)
		return cmd_help.run(&no_arguments);
	if (!command && options->line.json)
		return render_usage_error(&options->line,
					  "no command given; pd help lists them all");
	if (!command) {
		help_all(stderr, commands);
		return outcome_row(OUTCOME_BAD_REQUEST)->exit_code;
	}
	if (!command->leaves_daemons)
		handover();
	return command->run(&options->line);
}

int main(int argc, char **argv)
{
	struct options options;
	char error[512];
	bool json = options_want_json(argc, argv); /* before the words are moved */
	int r = options_parse(argc, argv, commands, &options, error, sizeof(error));

	render_setup(options.color);
	if (r < 0) {
		options.line.json = json;
		return finish(render_usage_error(&options.line, "%s", error));
	}
	return finish(run(&options));
}
