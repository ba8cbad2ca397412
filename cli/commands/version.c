/* SPDX-License-Identifier: MIT */
#include <json-c/json.h>
#include <stdio.h>

#include "cli/command.h"
#include "cli/render/render.h"

static int run(const struct command *self, const struct command_line *line)
{
	struct json_object *o;

	if (!line->json) {
		printf("%s%s\n", line->quiet ? "" : "pd ", PD_VERSION);
		return 0;
	}
	o = json_object_new_object();
	json_object_object_add(o, "ok", json_object_new_boolean(true));
	/* "version" is the version of the JSON, as in every answer. */
	json_object_object_add(o, "version", json_object_new_int(1));
	json_object_object_add(o, "program", json_object_new_string(PD_VERSION));
	render_json(o);
	json_object_put(o);
	return 0;
}

const struct command cmd_version = {
	.name = "version",
	.arguments = "",
	.summary = "print the version of pd",
	.examples = "  pd version\n",
	.run = run,
};
