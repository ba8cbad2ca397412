/* SPDX-License-Identifier: MIT */
#include "cli/completion/scripts.h"

#include <stddef.h>
#include <string.h>

#include "base/cleanup.h"
#include "completion_scripts.h" /* pd.bash, pd.zsh and pd.fish as strings; the Makefile writes it */

static const struct {
	const char *shell, *text;
} scripts[] = {
	{ "bash", script_bash },
	{ "zsh", script_zsh },
	{ "fish", script_fish },
};

const char *scripts_of(const char *shell)
{
	for (size_t i = 0; i < ARRAY_SIZE(scripts); i++)
		if (!strcmp(scripts[i].shell, shell))
			return scripts[i].text;
	return NULL;
}
