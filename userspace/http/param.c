/* SPDX-License-Identifier: MIT */
#include "http/param.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/moment.h"
#include "base/net.h"
#include "http/request.h"

#define MOMENT_EXAMPLES "2:47am, 14:00, yesterday 9pm, 2024-02-28 14:00 or 2024-02-28T14:00:00Z"
/* A moment of digits alone is Unix seconds, as our own JSON has them; a year has fewer digits. */
#define UNIX_DIGITS_MIN 9
#define UNIX_DIGITS_MAX 11

bool param_is_whole(const struct param_value *value)
{
	return strlen(value->text) == (size_t)json_object_get_string_len(value->json);
}

static const char *noun_of(const struct param *p)
{
	return p->noun ? p->noun : p->name;
}

static int bad(struct request *r, const struct param *p, const char *text, const char *what)
{
	return request_fail(r, OUTCOME_BAD_REQUEST, "%s \"%.64s\" %s", noun_of(p), text, what);
}

/* --- texts --- */

int param_text(struct request *r, const struct param *p, const struct param_value *value, void *ret)
{
	const char *text = value->text, *why;

	if (p->max && strlen(text) > (size_t)p->max)
		return request_fail(r, OUTCOME_TOO_LARGE,
				    "the %s is %zu bytes long; at most %" PRId64 " are kept",
				    noun_of(p), strlen(text), p->max);
	if (p->check && p->check(text, &why))
		return request_fail(r, OUTCOME_BAD_REQUEST, "%s \"%.64s\" cannot be %s: %s; %s",
				    noun_of(p), text, p->cannot, why, p->advice);
	*(const char **)ret = text;
	return 0;
}

int param_path(struct request *r, const struct param *p, const struct param_value *value, void *ret)
{
	if (*value->text == '/' && strlen(value->text) < PATH_MAX)
		return param_text(r, p, value, ret);
	return bad(r, p, value->text, "is not an absolute path; write it like /home/me/app");
}

/* --- numbers --- */

int param_port(struct request *r, const struct param *p, const struct param_value *value, void *ret)
{
	bool is_text = value->text && (!value->json || param_is_whole(value));
	bool is_number = value->json && json_object_is_type(value->json, json_type_int);
	const char *text = value->text ? value->text : json_object_get_string(value->json);

	if ((is_text || is_number) && !net_port_parse(text, ret))
		return 0;
	return bad(r, p, text, "is not a port; write a number from 1 to 65535, like 3000");
}

int param_count(struct request *r, const struct param *p, const struct param_value *value,
		void *ret)
{
	if (!json_object_is_type(value->json, json_type_int) ||
	    json_object_get_int64(value->json) < 1)
		return request_fail(r, OUTCOME_BAD_REQUEST, "\"%s\" is not a number from 1 on",
				    p->name);
	*(int64_t *)ret = json_object_get_int64(value->json);
	return 0;
}

int param_number(struct request *r, const struct param *p, const struct param_value *value,
		 void *ret)
{
	char what[96];
	char *end;
	long long n;

	errno = 0;
	n = strtoll(value->text, &end, 10);
	if (isdigit((unsigned char)*value->text) && !*end && !errno && n >= p->min && n <= p->max) {
		*(int64_t *)ret = n;
		return 0;
	}
	snprintf(what, sizeof(what), "is not a number from %" PRId64 " to %" PRId64, p->min,
		 p->max);
	return bad(r, p, value->text, p->advice ? p->advice : what);
}

/* --- one of two --- */

int param_bool(struct request *r, const struct param *p, const struct param_value *value, void *ret)
{
	if (!json_object_is_type(value->json, json_type_boolean))
		return request_fail(r, OUTCOME_BAD_REQUEST, "\"%s\" is neither true nor false",
				    p->name);
	*(bool *)ret = json_object_get_boolean(value->json);
	return 0;
}

/* Whether it is the second of two words. */
static int read_either(struct request *r, const struct param *p, const struct param_value *value,
		       const char *first, const char *second, void *ret)
{
	bool is_second = strcmp(value->text, second) == 0;
	char what[32];

	*(bool *)ret = is_second;
	if (is_second || strcmp(value->text, first) == 0)
		return 0;
	snprintf(what, sizeof(what), "is neither %s nor %s", first, second);
	return bad(r, p, value->text, what);
}

int param_flag(struct request *r, const struct param *p, const struct param_value *value, void *ret)
{
	return read_either(r, p, value, "0", "1", ret);
}

int param_one(struct request *r, const struct param *p, const struct param_value *value, void *ret)
{
	*(bool *)ret = strcmp(value->text, "1") == 0;
	if (*(bool *)ret)
		return 0;
	return request_fail(r, OUTCOME_BAD_REQUEST, "%s \"%.16s\" cannot be read; write %s=1",
			    p->name, value->text, p->name);
}

int param_no(struct request *r, const struct param *p, const struct param_value *value, void *ret)
{
	return read_either(r, p, value, "yes", "no", ret);
}

/* --- times --- */

static bool is_unix_seconds(const char *text)
{
	size_t n = strspn(text, "0123456789");

	return !text[n] && n >= UNIX_DIGITS_MIN && n <= UNIX_DIGITS_MAX;
}

static int bad_time(struct request *r, const struct param *p, const char *text, const char *kind,
		    size_t at, const char *examples)
{
	return request_fail(r, OUTCOME_BAD_REQUEST,
			    "%s \"%.64s\" is no %s (see character %zu); write it like %s",
			    noun_of(p), text, kind, at + 1, examples);
}

static int skipped_time(struct request *r, const struct param *p, const char *text,
			int64_t goes_on_at)
{
	char at[32];

	return request_fail(r, OUTCOME_BAD_REQUEST,
			    "%s \"%.64s\" is a time that the clocks skip: they go on at %s",
			    noun_of(p), text, moment_format_log(goes_on_at, r->now, at));
}

static int read_duration(struct request *r, const struct param *p, const char *text, int64_t *ret)
{
	size_t at = 0;

	if (!duration_parse(text, ret, &at))
		return 0;
	return bad_time(r, p, text, "duration", at, p->advice ? p->advice : PARAM_DURATION_ADVICE);
}

int param_duration(struct request *r, const struct param *p, const struct param_value *value,
		   void *ret)
{
	int64_t s;
	int fault = read_duration(r, p, value->text, &s);

	if (fault)
		return fault;
	if (p->max && (s < p->min || s > p->max))
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "%s \"%.64s\" is none from %" PRId64 "s to %" PRId64 "s",
				    noun_of(p), value->text, p->min, p->max);
	*(int64_t *)ret = s;
	return 0;
}

int param_moment(struct request *r, const struct param *p, const struct param_value *value,
		 void *ret)
{
	int64_t at_unix;
	size_t at = 0;
	int read = 0;

	if (is_unix_seconds(value->text))
		at_unix = strtoll(value->text, NULL, 10);
	else
		read = moment_parse(value->text, r->now, &at_unix, &at);
	if (read < 0)
		return bad_time(r, p, value->text, "moment", at, MOMENT_EXAMPLES);
	if (read == MOMENT_SKIPPED)
		return skipped_time(r, p, value->text, at_unix);
	*(int64_t *)ret = at_unix;
	return 0;
}

int param_since(struct request *r, const struct param *p, const struct param_value *value,
		void *ret)
{
	int64_t ago_s;
	int fault;

	if (is_unix_seconds(value->text))
		return param_moment(r, p, value, ret);
	fault = read_duration(r, p, value->text, &ago_s);
	if (!fault)
		*(int64_t *)ret = r->now - ago_s;
	return fault;
}
