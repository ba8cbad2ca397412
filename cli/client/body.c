/* SPDX-License-Identifier: MIT */
#include "cli/client/body.h"

#include <json-c/json.h>
#include <string.h>

#include "base/text.h"

void body_add_text(struct json_object *body, const char *key, const char *text)
{
	if (text && *text && text_is_utf8(text, strlen(text)))
		json_object_object_add(body, key, json_object_new_string(text));
}
