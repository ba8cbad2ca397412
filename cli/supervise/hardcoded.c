/* SPDX-License-Identifier: MIT */
#include "cli/supervise/hardcoded.h"

#include <json-c/json.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "cli/client/answer.h"
#include "cli/client/client.h"
#include "cli/render/show.h"

bool hardcoded_words(uint16_t port, const char *command, char ret[static HARDCODED_WORDS_SIZE])
{
	_cleanup_(answer_freep) struct json_object *why = NULL;
	struct json_object *list, *run = NULL;
	char path[64], others[32] = "", both[SHOW_PORT_SIZE];
	size_t n = 0;

	ret[0] = '\0';
	snprintf(path, sizeof(path), "/v1/why?port=%u", port);
	if (client_request("GET", path, NULL, &why) != OUTCOME_OK)
		return false;
	list = answer_member(why, "hardcoded");
	/* it has those that really have the port as well */
	for (size_t i = 0; i < answer_length(list); i++)
		if (answer_int(answer_at(list, i), "askedPort") == port && !n++)
			run = answer_at(list, i);
	if (!run)
		return false;
	if (n > 1)
		snprintf(others, sizeof(others), " (pd why %u names %zu more)", port, n - 1);
	snprintf(ret, HARDCODED_WORDS_SIZE, "%s is of %s, whose source has %u: pd %s %s%s",
		 show_port(run, both), answer_text(run, "service"), port, command,
		 answer_text(run, "service"), others);
	return true;
}
