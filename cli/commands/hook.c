/* SPDX-License-Identifier: MIT */
#include <errno.h>
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

/*
 * What a shell evaluates.  Its prompt reads one line of a file with a builtin; only where that has
 * changed since the last prompt, and the last command has failed, a process is started.  Each keeps
 * the exit code for what else the prompt runs, and none hooks a command's start.
 *
 * The numbers are checked before they stand in a command: nothing but digits gets there.  A file
 * that is none (a FIFO would hold the prompt) is not opened.
 */
static const char bash_code[] =
	"__pd_count=\n"
	"__pd_prompt() {\n"
	"\tlocal code=$? count= pid=\n"
	"\t[[ -f $__pd_file ]] &&\n"
	"\t\t{ IFS=' ' read -r -n 64 count pid; } 2>/dev/null <\"$__pd_file\"\n"
	"\tif [[ -n $count && $count != \"$__pd_count\" ]]; then\n"
	"\t\t__pd_count=$count\n"
	"\t\tcase $code:$pid in\n"
	"\t\t0:* | *:*[!0-9]* | *:) ;;\n"
	"\t\t*) \"$__pd_pd\" why --brief --pid \"$pid\" >&2 ;;\n"
	"\t\tesac\n"
	"\tfi\n"
	"\treturn \"$code\"\n"
	"}\n"
	"[[ -f $__pd_file ]] && IFS=' ' read -r -n 64 __pd_count _ <\"$__pd_file\"\n"
	"case ${PROMPT_COMMAND[*]-} in\n"
	"*__pd_prompt*) ;;\n"
	"*) PROMPT_COMMAND=$'__pd_prompt\\n'${PROMPT_COMMAND-} ;; # of an array the first\n"
	"esac\n";

static const char zsh_code[] =
	"typeset -g __pd_count=\n"
	"__pd_prompt() {\n"
	"\tlocal code=$? count= pid=\n"
	"\t[[ -f $__pd_file ]] && { IFS=' ' read -r count pid <$__pd_file } 2>/dev/null\n"
	"\tif [[ -n $count && $count != $__pd_count ]]; then\n"
	"\t\t__pd_count=$count\n"
	"\t\tcase $code:$pid in\n"
	"\t\t(0:* | *:*[^0-9]* | *:) ;;\n"
	"\t\t(*) \"$__pd_pd\" why --brief --pid $pid >&2 ;;\n"
	"\t\tesac\n"
	"\tfi\n"
	"\treturn $code\n"
	"}\n"
	"[[ -f $__pd_file ]] && IFS=' ' read -r __pd_count _ <$__pd_file\n"
	"autoload -Uz add-zsh-hook && add-zsh-hook precmd __pd_prompt\n";

static const char fish_code[] =
	"set -g __pd_count\n"
	"function __pd_prompt --on-event fish_postexec\n"
	"\tset -l code $status\n"
	"\tset -l count\n"
	"\tset -l pid\n"
	"\ttest -f $__pd_file; and read -n 64 count pid <$__pd_file\n"
	"\tif test -n \"$count\"; and test \"$count\" != \"$__pd_count\"\n"
	"\t\tset -g __pd_count $count\n"
	"\t\tif test $code -ne 0; and string match -qr '^[0-9]+$' -- \"$pid\"\n"
	"\t\t\t$__pd_pd why --brief --pid $pid >&2\n"
	"\t\tend\n"
	"\tend\n"
	"end\n"
	"test -f $__pd_file; and read -g -n 64 __pd_count __pd_pid <$__pd_file\n";

static const struct shell {
	const char *name, *code;
	const char *set, *to; /* what stands around a variable's name where it is set */
} shells[] = {
	{ "bash", bash_code, "", "=" },
	{ "zsh", zsh_code, "typeset -g ", "=" },
	{ "fish", fish_code, "set -g ", " " },
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

static int run(const struct command *self, const struct command_line *line)
{
	char file[PATH_MAX], pd[OWN_PD_SIZE];
	const struct shell *shell = NULL;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(shells); i++)
		if (!strcmp(shells[i].name, line->args[0]))
			shell = &shells[i];
	if (!shell)
		return render_usage_error(line->json, self->name,
					  "'%.100s' is none of bash, zsh and fish", line->args[0]);
	r = find(line, file);
	if (r)
		return r;
	if (line->json) {
		_cleanup_(answer_freep) struct json_object *o = json_object_new_object();

		json_object_object_add(o, "ok", json_object_new_boolean(true));
		json_object_object_add(o, "version", json_object_new_int(1));
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
