/* SPDX-License-Identifier: MIT */
#include "cli/commands/namesakes.h"

#include <stdio.h>

#include "cli/client/answer.h"

bool namesakes_find(const char *name, char ret[static NAMESAKES_SIZE])
{
	_cleanup_(answer_freep) struct json_object *answer = NULL;
	char pattern[PATTERN_MAX + 3], path[PATTERN_MAX * 3 + 128];
	struct client_param params[] = { { "pattern", pattern }, { "details", "no" } };
	struct json_object *services;
	size_t n;

	snprintf(pattern, sizeof(pattern), "%s:*", name);
	if (pattern_has_wildcard(name) ||
	    client_path("/v1/services", params, ARRAY_SIZE(params), path, sizeof(path)) < 0 ||
	    client_request("GET", path, NULL, &answer) != OUTCOME_OK)
		return false;
	services = answer_member(answer, "services");
	n = answer_length(services);
	if (n)
		snprintf(ret, NAMESAKES_SIZE, "no service is called '%s' alone; %s%s", name,
			 answer_text(answer_at(services, 0), "id"),
			 n > 1 ? " and others are" : " is");
	return n > 0;
}
