/* SPDX-License-Identifier: MIT */
#include "http/route.h"

#include "http/json.h"

/* A kind that only one route has is a text to whoever writes it. */
static const char *kind_of(const struct param *p)
{
	static const struct {
		param_read *read;
		const char *name;
	} kinds[] = {
		{ param_path, "path" },
		{ param_port, "port" },
		{ param_bool, "boolean" },
		{ param_flag, "1 or 0" },
		{ param_one, "1" },
		{ param_no, "yes or no" },
		{ param_count, "number" },
		{ param_number, "number" },
		{ param_duration, "duration" },
		{ param_moment, "moment" },
		{ param_since, "since" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (kinds[i].read == p->read)
			return kinds[i].name;
	return "text";
}

void route_describe(const struct route *route, struct json_object *ret)
{
	struct json_object *list;

	json_add_text(ret, "method", route_method_name(route));
	json_add_text(ret, "path", route->path);
	list = json_add_array(ret, "parameters");
	for (const struct param *p = route->params; p < route->params + ROUTE_PARAMS_MAX && p->name;
	     p++) {
		struct json_object *o = json_append_object(list);

		json_add_text(o, "name", p->name);
		json_add_text(o, "kind", kind_of(p));
		json_add_bool(o, "required", p->missing != NULL);
	}
}
