/* SPDX-License-Identifier: MIT */
#include "api/log.h"

#include <stdio.h>
#include <string.h>

#include "api/match.h"
#include "base/net.h"

static int bad_filter(struct request *r, const char *text, const char *why)
{
	char actions[160] = "";
	size_t used = 0;

	for (int a = 0; a < _ACTIVITY_ACTION_MAX && used < sizeof(actions); a++)
		used += snprintf(actions + used, sizeof(actions) - used, "%s%s", a ? ", " : "",
				 activity_action_name((enum activity_action)a));
	return request_fail(
		r, OUTCOME_BAD_REQUEST,
		"filter \"%.64s\" is neither an action (%s) nor a service, lock or session: %s",
		text, actions, why);
}

/* How many of each were read so far. */
struct read_so_far {
	size_t subjects, ports;
};

/* A name means one's own service of that name, where there is one. */
static int add_subject(struct request *r, const char *word, struct log_filter *ret, size_t i)
{
	ret->activity.subjects[i] = word;
	if (identity_check_of_user(word, NULL))
		return 0;
	return match_meant(r, &ret->activity.subjects[i], ret->ids[i]);
}

static int add_word(struct request *r, const char *word, struct log_filter *filter,
		    struct read_so_far *n)
{
	struct activity_filter *ret = &filter->activity;
	int action = activity_action_of_name(word);
	bool is_port_only = *word == ':';
	const char *why;
	uint16_t port;

	if (action >= 0) {
		ret->actions |= ACTIVITY_BIT(action);
		return 0;
	}
	if (net_port_parse(word + is_port_only, &port) == 0 && n->ports < ACTIVITY_SUBJECTS_MAX)
		ret->ports[n->ports++] = port;
	else if (is_port_only)
		return bad_filter(r, word, "behind the colon stands no port");
	if (is_port_only)
		return 0;
	if (pattern_check(word, &why))
		return bad_filter(r, word, why);
	if (n->subjects == ACTIVITY_SUBJECTS_MAX)
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "filter names more than %d services, locks or sessions; a "
				    "pattern like myapp:* stands for many",
				    ACTIVITY_SUBJECTS_MAX);
	return add_subject(r, word, filter, n->subjects++);
}

int log_filter_read(struct request *r, const struct param *p, const struct param_value *value,
		    void *data)
{
	struct log_filter *ret = data;
	struct read_so_far n = { 0 };
	char *rest;
	int fault = 0;

	snprintf(ret->text, sizeof(ret->text), "%s", value->text);
	rest = ret->text;
	while (!fault && rest)
		fault = add_word(r, strsep(&rest, ","), ret, &n);
	return fault;
}
