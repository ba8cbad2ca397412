/* SPDX-License-Identifier: MIT */
/*
 * How a service of a `.portdaddyrc` is started, kept up and ended:
 *
 *   "web": {
 *     "cmd": "vite --port $PORT",          // run by sh -c
 *     "cwd": "packages/web",               // from the file's directory; that itself without it
 *     "env": { "NODE_ENV": "development" },
 *     "needs": ["api"],
 *     "hardcoded": 3000,                   // or a list: ports that stand in its source
 *     "transparent": true,                 // it is told that it has those
 *     "protect": true,                     // nobody else gets its port
 *     "restart": "on-failure",             // or "never"
 *     "stopSignal": "SIGINT",              // SIGTERM without it
 *     "stopTimeout": "10s"                 // from that signal to SIGKILL
 *   }
 */
#ifndef CLI_PROJECT_CONFIG_START_H
#define CLI_PROJECT_CONFIG_START_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/run.h"

#define CONFIG_STOP_TIMEOUT_MS 5000 /* where the file says nothing */

struct config_text;
struct json_object;

struct config_start {
	char *cmd;    /* NULL = none: it is claimed, and started by somebody else */
	char *cwd;    /* as it is written; NULL = none */
	char **env;   /* "NAME=VALUE", n_env of them */
	char **needs; /* names, n_needs of them; whether the file has them is not looked at */
	size_t n_env, n_needs;
	uint16_t hardcoded[RUN_HARDCODED_MAX];
	size_t n_hardcoded;
	bool transparent;
	bool protect;  /* nobody else gets its port */
	bool restarts; /* on failure */
	int stop_signal;
	int64_t stop_timeout_ms;
};

/* Reads the members of one service.  0, or -EINVAL with the sentence in the text's error. */
int config_start_read(const struct config_text *t, const char *name, struct json_object *service,
		      struct config_start *ret);
void config_start_deinit(struct config_start *s);

/*
 * A number that is the same as long as the service would be started in the same way: its command,
 * directory and environment, its hard-coded ports and what it is told of
 * them, and whether it is started again.
 */
uint64_t config_start_hash(const struct config_start *s);

#endif
