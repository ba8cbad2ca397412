/* SPDX-License-Identifier: MIT */
#include "cli/command.h"

#include <stddef.h>

const struct command *const commands[] = {
	&cmd_claim,   &cmd_release,  &cmd_cleanup,   &cmd_find,	  &cmd_open,	   &cmd_why,
	&cmd_status,  &cmd_health,   &cmd_log,	     &cmd_watch,  &cmd_run,	   &cmd_up,
	&cmd_down,    &cmd_logs,     &cmd_ps,	     &cmd_stop,	  &cmd_wait,	   &cmd_history,
	&cmd_session, &cmd_sessions, &cmd_note,	     &cmd_notes,  &cmd_metrics,	   &cmd_lock,
	&cmd_unlock,  &cmd_locks,    &cmd_with_lock, &cmd_daemon, &cmd_completion, &cmd_version,
	&cmd_doctor,  &cmd_hook,     &cmd_help,	     NULL,
};
