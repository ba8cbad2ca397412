/* SPDX-License-Identifier: MIT */
#include "api/match.h"

#include <string.h>

#include "api/state.h"
#include "base/identity.h"
#include "base/net.h"
#include "http/request.h"

int match_read(struct request *r, const struct param *p, const struct param_value *value, void *ret)
{
	struct match *match = ret;
	const char *text = value->text, *why;

	*match = (struct match){ .text = text, .filter.status = -1 };
	if (*text == ':') {
		if (!net_port_parse(text + 1, &match->filter.port))
			return 0;
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "\"%.64s\" is not a port; write it like :3000", text);
	}
	match->many = pattern_has_wildcard(text);
	match->filter.pattern = text;
	if (match->many ? pattern_check(text, &why) : identity_check_of_user(text, &why))
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "\"%.64s\" cannot be read: %s; write an id like myapp:web, a "
				    "pattern like myapp:* or :3000",
				    text, why);
	return match_meant(r, &match->filter.pattern, match->id);
}

int match_meant(struct request *r, const char **name, char id[static IDENTITY_MAX + 1])
{
	const char *given = *name;

	if (pattern_has_wildcard(given))
		return 0;
	*name = id;
	return registry_meant_id(r->api->config.registry, given, request_user(r), id);
}

const char *match_shown_id(struct request *r, const char *id, uid_t owner,
			   char ret[static IDENTITY_MAX + 1])
{
	return registry_shown_id(r->api->config.registry, id, owner, request_user(r), ret);
}

struct near {
	struct request *r;
	const char *name;
	char *best; /* "" = none yet */
};

static bool take_nearer(const struct service *s, void *user_data)
{
	const struct near *n = user_data;
	char id[IDENTITY_MAX + 1];

	if (s->uid == request_user(n->r) &&
	    identity_nearer(n->name, *n->best ? n->best : NULL, identity_bare(s->id, id)) == id)
		strcpy(n->best, id);
	return true;
}

const char *match_near(struct request *r, const char *name, char ret[static IDENTITY_MAX + 1])
{
	static const struct service_filter all = { .status = -1 };
	struct near near = { r, name, ret };

	ret[0] = '\0';
	if (!pattern_has_wildcard(name))
		registry_for_each_service(r->api->config.registry, &all, take_nearer, &near);
	return ret;
}

int match_fail(struct request *r, const struct match *match)
{
	char near[IDENTITY_MAX + 1];
	uint16_t port;

	if (!net_port_parse(match->text, &port))
		return request_fail(r, OUTCOME_NO,
				    "there is no service %s; the service of a port is meant by :%s",
				    match->text, match->text);
	if (match->many)
		return request_fail(r, OUTCOME_NO, "no service matches %s", match->text);
	match_near(r, match->text, near);
	return request_fail(r, OUTCOME_NO, "there is no service %s%s%s%s", match->text,
			    *near ? "; did you mean " : "", near, *near ? "?" : "");
}
