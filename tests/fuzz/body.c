/* SPDX-License-Identifier: MIT */
/* Bodies of requests: members of any type and length, and what is said of them. */
#include "base/identity.h"
#include "base/text.h"
#include "fuzz/fuzz.h"
#include "http/parse.h"
#include "http/request.h"

struct members {
	const char *id, *cwd;
	uint16_t port;
	bool force;
	int64_t fence, ttl_s;
};

static const struct route route = {
	.method = ROUTE_POST,
	.path = "/v1/claims",
	.params = {
		PARAM_ID("id", struct members, id),
		PARAM_PORT("port", struct members, port),
		PARAM_BOOL("force", struct members, force),
		PARAM_COUNT("fence", struct members, fence),
		PARAM_DURATION("ttl", struct members, ttl_s),
		PARAM_PATH("cwd", struct members, cwd),
	},
	.params_size = sizeof(struct members),
};

static void check_fault(const struct request *r, int fault)
{
	must(fault == 0 || fault == OUTCOME_BAD_REQUEST || fault == OUTCOME_TOO_LARGE);
	if (fault)
		must(*r->message && text_is_utf8(r->message, strlen(r->message)));
}

/* Each row alone, so that a member that is refused hides none of the others. */
static void read_each(struct request *r)
{
	for (size_t i = 0; i < ROUTE_PARAMS_MAX && route.params[i].name; i++) {
		struct json_object *copy = NULL;
		struct members m = { 0 };

		must(json_object_deep_copy(r->body, &copy, NULL) == 0);
		for (size_t other = 0; other < ROUTE_PARAMS_MAX && route.params[other].name;
		     other++)
			if (other != i)
				json_object_object_del(copy, route.params[other].name);
		check_fault(r, parse_object(r, copy, "body", &route.params[i], 1, &m));
		must(!m.id || text_is_utf8(m.id, strlen(m.id)));
		must(m.fence >= 0 && m.ttl_s >= 0);
		must(!m.cwd || *m.cwd == '/');
		json_object_put(copy);
	}
}

int fuzz(const uint8_t *bytes, size_t size)
{
	struct request r = { .route = &route };
	int fault = parse_body(&r, (const char *)bytes, size);

	check_fault(&r, fault);
	if (!fault)
		read_each(&r);
	json_object_put(r.body);
	return 0;
}
