/* SPDX-License-Identifier: MIT */
#include "view/health.h"

#include <inttypes.h>
#include <stdio.h>

#include "checks/item.h"
#include "http/json.h"

static struct json_object *wellness_view(enum wellness wellness)
{
	return wellness == WELLNESS_UNKNOWN ? NULL : json_boolean(wellness == WELLNESS_WELL);
}

/* Milliseconds with their fraction: a check on this machine often takes less than one. */
static struct json_object *elapsed_view(uint64_t us)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRIu64 ".%03" PRIu64, us / 1000, us % 1000);
	return json_object_new_double_s((double)us / 1000, text);
}

static struct json_object *previous_view(const struct health_previous *p)
{
	struct json_object *o;

	if (!p->known)
		return NULL;
	o = json_object_new_object();
	json_add_text(o, "result", p->result);
	json_add(o, "healthy", wellness_view(p->wellness));
	json_add_known(o, "httpStatus", p->http_status);
	json_add(o, "elapsedMs", p->elapsed_us >= 0 ? elapsed_view((uint64_t)p->elapsed_us) : NULL);
	json_add_int(o, "checkedAt", p->checked_at);
	return o;
}

struct json_object *view_health_item(const struct health_item *item, const char *shown_id)
{
	struct json_object *o = json_object_new_object();
	char url[HEALTH_URL_SIZE];

	json_add_text(o, "id", shown_id);
	json_add_int(o, "port", item->port);
	json_add_text(o, "status", service_status_name(item->status));
	json_add_text(o, "result", item->result);
	json_add(o, "healthy", wellness_view(item->wellness));
	json_add_known(o, "httpStatus", item->answer.http_status);
	json_add_text(o, "reason", item->answer.reason);
	json_add(o, "elapsedMs", item->was_asked ? elapsed_view(item->answer.elapsed_us) : NULL);
	json_add_text(o, "url", health_item_url(item, url));
	json_add_text(o, "warning", item->warning);
	json_add_text(o, "details", item->answer.details);
	json_add_int(o, "checkedAt", item->checked_at);
	json_add_known(o, "claimedAt", item->claimed_at);
	json_add(o, "previous", previous_view(&item->previous));
	return o;
}
