/* SPDX-License-Identifier: MIT */
#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/own_pd.h"
#include "base/paths.h"
#include "base/text.h"
#include "cli/client/answer.h"
#include "cli/client/peer.h"
#include "cli/command.h"
#include "cli/render/render.h"
#include "hook_scripts.h" /* cli/hook/pd.bash, pd.zsh and pd.fish as strings, by the Makefile */

static const struct shell {
	const char *name, *code;
	const char *set, *to; /* what stands around a variable's name where it is set */
} shells[] = {
	{ "bash", script_bash, "", "=" },
	{ "zsh", script_zsh, "typeset -g ", "=" },
	{ "fish", script_fish, "set -g ", " " },
};

/*
 * Whoever owns the daemon writes the file that every prompt reads, and what is evaluated comes from
 * its answer: it has to be root's, one's own, or the system's service.
 */
static bool is_trusted(const struct peer *daemon)
{
	return daemon->uid == 0 || daemon->uid == geteuid() ||
	       !strcmp(daemon->socket, PATHS_SYSTEM_SOCKET);
}

/* The file, as a word of the shell where code is printed. */
static int ask(const struct command_line *line, char ret_file[static PATH_MAX])
{
	_cleanup_(answer_freep) struct json_object *body = json_object_new_object(), *answer = NULL;
	int r = answer_get(line->json, "POST", "/v1/prompts", body, &answer);
	const char *path = answer_text(answer, "path");
	char quoted[PATH_MAX];

	if (r)
		return r;
	if (*path != '/' || !text_shell_quote(path, quoted, sizeof(quoted)))
		return render_fail(line->json, OUTCOME_FAILED,
				   "the daemon names no file that a shell can read");
	snprintf(ret_file, PATH_MAX, "%s", line->json ? path : quoted);
	return 0;
}

static int find(const struct command_line *line, char ret_file[static PATH_MAX])
{
	_cleanup_(peer_deinit) struct peer daemon = { .fd = -1 };

	if (!peer_find(&daemon))
		return render_fail(line->json, OUTCOME_NO_DAEMON,
				   "no daemon runs, so this shell is not told of refused binds; "
				   "start one with: sudo pd daemon start");
	if (!is_trusted(&daemon))
		return render_fail(line->json, OUTCOME_NOT_ALLOWED,
				   "the daemon is another user's, who would write what this "
				   "shell's prompt reads");
	return ask(line, ret_file);
}

static int run(const struct command_line *line)
{
	char file[PATH_MAX], pd[OWN_PD_SIZE];
	const struct shell *shell = NULL;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(shells); i++)
		if (!strcmp(shells[i].name, line->args[0]))
			shell = &shells[i];
	if (!shell)
		return render_usage_error(line, "'%.100s' is none of bash, zsh and fish",
					  line->args[0]);
	r = find(line, file);
	if (r)
		return r;
	if (line->json) {
		_cleanup_(answer_freep) struct json_object *o = render_json_new(true);

		json_object_object_add(o, "file", json_object_new_string(file));
		json_object_object_add(o, "code", json_object_new_string(shell->code));
		render_json(o);
		return 0;
	}
	printf("%s__pd_file%s%s\n%s__pd_pd%s%s\n%s", shell->set, shell->to, file, shell->set,
	       shell->to, own_pd(pd), shell->code);
	return 0;
}

const struct command cmd_hook = {
	.name = "hook",
	.arguments = "bash|zsh|fish",
	.summary = "print code for a shell, whose prompt then explains refused binds",
	.details =
		"After a command that failed, and of which a bind or listen was refused on this\n"
		"terminal, two lines say who has the port and what can be done; once for each.\n"
		"A prompt after which nothing was refused reads a small file and starts nothing.\n"
		"It needs a daemon that listens with eBPF, and starts none.\n",
	.examples = "  eval \"$(pd hook bash)\"       # in ~/.bashrc, behind what sets the prompt\n"
		    "  eval \"$(pd hook zsh)\"        # in ~/.zshrc\n"
		    "  pd hook fish | source        # in ~/.config/fish/config.fish\n",
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
