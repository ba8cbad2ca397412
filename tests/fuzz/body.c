/* SPDX-License-Identifier: MIT */
/* Bodies of requests: members of any type and length, and what is said of them. */
#include "base/text.h"
#include "fuzz/fuzz.h"
#include "http/request.h"

static const struct route route = {
	.path = "/v1/claims",
	.names = { "id", "port", "force", "fence" },
};

static void check_fault(const struct request *r, int fault)
{
	must(fault == 0 || fault == OUTCOME_BAD_REQUEST || fault == OUTCOME_TOO_LARGE);
	if (fault)
		must(*r->message && text_is_utf8(r->message, strlen(r->message)));
}

int fuzz(const uint8_t *bytes, size_t size)
{
	struct request r = { .route = &route };
	int64_t count;
	const char *text;
	uint16_t port;
	bool flag;
	int fault;

	fault = request_parse_body(&r, (const char *)bytes, size);
	check_fault(&r, fault);
	if (!fault) {
		fault = request_member_text(&r, "id", &text);
		check_fault(&r, fault);
		must(fault || !text || text_is_utf8(text, strlen(text)));
		check_fault(&r, request_member_port(&r, "port", &port));
		check_fault(&r, request_member_bool(&r, "force", &flag));
		fault = request_member_count(&r, "fence", &count);
		check_fault(&r, fault);
		must(fault || count >= 0);
	}
	json_object_put(r.body);
	return 0;
}
