/* SPDX-License-Identifier: MIT */
/* The part of completion that is the shell's: it hands the words to pd and shows its answer. */
#ifndef CLI_COMPLETION_SCRIPTS_H
#define CLI_COMPLETION_SCRIPTS_H

/* The script for "bash", "zsh" or "fish"; NULL for another word. */
const char *scripts_of(const char *shell);

#endif
