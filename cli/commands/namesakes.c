/* SPDX-License-Identifier: MIT */
#include "cli/commands/namesakes.h"

#include <stdio.h>

#include "cli/client/answer.h"

/* NULL where that cannot be asked; the caller's: answer_free(). */
static struct json_object *ask(const char *pattern)
{
	const struct client_param params[] = { { "pattern", pattern }, { "details", "no" } };
	char path[PATTERN_MAX * 3 + 128];
	struct json_object *answer = NULL;

	if (client_path("/v1/services", params, ARRAY_SIZE(params), path, sizeof(path)) < 0 ||
	    client_request("GET", path, NULL, &answer) == OUTCOME_OK)
		return answer;
	answer_free(answer);
	return NULL;
}

static bool find_of_project(const char *name, char ret[static NAMESAKES_SIZE])
{
	_cleanup_(answer_freep) struct json_object *answer = NULL;
	char pattern[PATTERN_MAX + 3];
	struct json_object *services;
	size_t n;

	snprintf(pattern, sizeof(pattern), "%s:*", name);
	answer = ask(pattern);
	services = answer_member(answer, "services");
	n = answer_length(services);
	if (n)
		snprintf(ret, NAMESAKES_SIZE,
			 "no service is called '%s' alone; %s%s: pd find '%s:*'", name,
			 answer_text(answer_at(services, 0), "id"),
			 n > 1 ? " and others are" : " is", name);
	return n > 0;
}

static bool find_near(const char *name, char ret[static NAMESAKES_SIZE])
{
	_cleanup_(answer_freep) struct json_object *answer = ask(name);
	const char *near = answer_text(answer, "near");

	if (*near)
		snprintf(ret, NAMESAKES_SIZE, "no service is called '%s'; did you mean %s?", name,
			 near);
	return *near;
}

bool namesakes_find(const char *name, char ret[static NAMESAKES_SIZE])
{
	return !pattern_has_wildcard(name) && (find_of_project(name, ret) || find_near(name, ret));
}
