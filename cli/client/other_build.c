/* SPDX-License-Identifier: MIT */
#include "cli/client/other_build.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own_pd.h"
#include "cli/client/answer.h"
#include "cli/render/render.h"

#define NAME_SIZE 64

void other_build_read(struct json_object *status, struct build *ret)
{
	struct json_object *daemon = answer_member(status, "daemon");

	*ret = (struct build){ .committed_at = answer_int(daemon, "committedAt") };
	snprintf(ret->version, sizeof(ret->version), "%s", answer_text(daemon, "version"));
	snprintf(ret->commit, sizeof(ret->commit), "%s", answer_text(daemon, "commit"));
	if (!answer_has(daemon, "commit"))
		ret->committed_at = -1;
}

/* The name in: unknown parameter "x"; … or: unknown member "x"; … */
static bool unknown_name(const char *message, char ret[NAME_SIZE])
{
	return sscanf(message, "unknown parameter \"%63[^\"]\"", ret) == 1 ||
	       sscanf(message, "unknown member \"%63[^\"]\"", ret) == 1;
}

/* The path without that parameter of its query; NULL when it has none. */
static char *drop_parameter(const char *path, const char *name)
{
	size_t n = strlen(name);
	const char *at = strchr(path, '?');

	while (at && (strncmp(at + 1, name, n) || at[n + 1] != '='))
		at = strchr(at + 1, '&');
	if (!at)
		return NULL;
	/* what follows takes its place, behind the sign that stood before it */
	n = strcspn(at + 1, "&");
	char *fewer = malloc(strlen(path) + 1);
	if (!fewer)
		return NULL;
	sprintf(fewer, "%.*s%s", (int)(at - path) + (at[n + 1] == '&'), path,
		at + n + 1 + (at[n + 1] == '&'));
	return fewer;
}

/* The same of a JSON object's member. */
static char *drop_member(const char *body, const char *name)
{
	_cleanup_(answer_freep) struct json_object *o = json_tokener_parse(body);

	if (!answer_has(o, name))
		return NULL;
	json_object_object_del(o, name);
	return strdup(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
}

bool other_build_drop(const char *message, const char *path, const char *body, char **ret_path,
		      char **ret_body)
{
	static const struct build unknown;
	_cleanup_free_ char *new_path = NULL, *new_body = NULL;
	char name[NAME_SIZE];

	if (!unknown_name(message, name))
		return false;
	new_path = body ? strdup(path) : drop_parameter(path, name);
	new_body = body ? drop_member(body, name) : NULL;
	if (!new_path || (body && !new_body))
		return false;
	free(*ret_path);
	free(*ret_body);
	*ret_path = TAKE_PTR(new_path);
	*ret_body = TAKE_PTR(new_body);
	other_build_say_ignored(&unknown, name);
	return true;
}

const char *other_build_words(const struct build *daemon, bool by_root,
			      char ret[OTHER_BUILD_WORDS_SIZE])
{
	char text[BUILD_TEXT_SIZE], pd[OWN_PD_SIZE];
	const char *age = build_age(daemon);
	bool another = !strcmp(age, "another");

	snprintf(ret, OTHER_BUILD_WORDS_SIZE,
		 "the daemon%s%s is %s%s than this pd: `%s daemon restart` "
		 "replaces it",
		 *daemon->version ? " " : "", *daemon->version ? build_text(daemon, text) : "", age,
		 another ? " build" : "", by_root ? own_pd_sudo(pd) : own_pd(pd));
	return ret;
}

void other_build_say_ignored(const struct build *daemon, const char *name)
{
	static bool said;
	char words[OTHER_BUILD_WORDS_SIZE];

	if (said)
		return;
	said = true;
	render_note("\"%s\" was left out, which the daemon does not know; %s", name,
		    other_build_words(daemon, false, words));
}
