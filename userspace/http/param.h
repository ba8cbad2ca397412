/* SPDX-License-Identifier: MIT */
/*
 * Typed parameters: a row says what one is called, of which kind it is, and where in the handler's
 * own struct its value goes.  The same rows read a query, a body and an object within a body.
 *
 *	struct question {
 *		uint16_t port;
 *		int64_t timeout_s;
 *	};
 *	PARAM_PORT("port", struct question, port),
 *	PARAM_DURATION("timeout", struct question, timeout_s, .advice = "5s or 1m", .otherwise = 5),
 *
 * What was not given is zero or NULL, or `otherwise`.  A value that is none of its kind is refused
 * with a sentence that names it and says how to write it.
 */
#ifndef HTTP_PARAM_H
#define HTTP_PARAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_object;
struct param;
struct request;

/* A value as it was given. */
struct param_value {
	const char *text;	  /* UTF-8; NULL: the member is no string (of_any_type) */
	struct json_object *json; /* the member of a body; NULL in a query */
};

/* Reads a value into *ret, which holds `otherwise` or zeroes.  0, an outcome, negative errno. */
typedef int param_read(struct request *r, const struct param *p, const struct param_value *value,
		       void *ret);
/* 0, or a negative errno with the fault in *ret_why (static storage), as base/identity.h has it. */
typedef int param_check(const char *text, const char **ret_why);

struct param {
	const char *name;
	param_read *read;
	size_t offset;	  /* of the value, in the handler's struct */
	bool of_any_type; /* reads members that are no strings, too; others get whole texts only */
	/* How to write it: the end of the sentence that refuses it. */
	const char *advice;
	/* The end of the sentence where it was not given, but has to be; NULL = it need not. */
	const char *missing;
	const char *noun;   /* what the sentence calls it; NULL = as its name is */
	param_check *check; /* of a text */
	const char *cannot; /* what a text that fails its check cannot be */
	int64_t min, max;
	int64_t otherwise; /* of the kinds that write an int64_t */
};

/* The offset of a member, which has to be of the type that the kind writes. */
#define PARAM_OFFSET(type, member, of)                                                         \
	(offsetof(type, member) +                                                              \
	 0 * sizeof(char[__builtin_types_compatible_p(__typeof__(((type *)0)->member), of) ? 1 \
											   : -1]))
#define PARAM_ROW(key, kind, type, member, of, ...)                                      \
	{                                                                                \
		.name = (key), .read = (kind), .offset = PARAM_OFFSET(type, member, of), \
		##__VA_ARGS__,                                                           \
	}

/* Any text; of at most `max` bytes, where there is a max. */
#define PARAM_TEXT(key, type, member, ...) \
	PARAM_ROW(key, param_text, type, member, const char *, ##__VA_ARGS__)
/* A service's name, like myapp:web. */
#define PARAM_ID(key, type, member, ...)                                         \
	PARAM_TEXT(key, type, member, .check = identity_check, .cannot = "used", \
		   .advice = "write one like myapp:web", ##__VA_ARGS__)
/* A pattern over such names. */
#define PARAM_PATTERN(key, type, member, ...)                                   \
	PARAM_TEXT(key, type, member, .check = pattern_check, .cannot = "read", \
		   .advice = "write one like myapp:*", ##__VA_ARGS__)
/* An absolute path. */
#define PARAM_PATH(key, type, member, ...) \
	PARAM_ROW(key, param_path, type, member, const char *, ##__VA_ARGS__)
/* From 1 to 65535; a number or digits in a body. */
#define PARAM_PORT(key, type, member, ...) \
	PARAM_ROW(key, param_port, type, member, uint16_t, .of_any_type = true, ##__VA_ARGS__)
/* Of a body: true or false. */
#define PARAM_BOOL(key, type, member, ...) \
	PARAM_ROW(key, param_bool, type, member, bool, .of_any_type = true, ##__VA_ARGS__)
/* Of a query: 1 or 0. */
#define PARAM_FLAG(key, type, member, ...) \
	PARAM_ROW(key, param_flag, type, member, bool, ##__VA_ARGS__)
/* Of a query: 1. */
#define PARAM_ONE(key, type, member, ...) \
	PARAM_ROW(key, param_one, type, member, bool, ##__VA_ARGS__)
/* Of a query: no, or yes, as where it was not given: whether it is no. */
#define PARAM_NO(key, type, member, ...) PARAM_ROW(key, param_no, type, member, bool, ##__VA_ARGS__)
/* Of a body: a number from 1 on. */
#define PARAM_COUNT(key, type, member, ...) \
	PARAM_ROW(key, param_count, type, member, int64_t, .of_any_type = true, ##__VA_ARGS__)
/* Of a query: digits, from min to max; `advice` takes the place of the sentence behind them. */
#define PARAM_NUMBER(key, type, member, ...) \
	PARAM_ROW(key, param_number, type, member, int64_t, ##__VA_ARGS__)
/* In seconds; from min to max, where there is a max. */
#define PARAM_DURATION(key, type, member, ...) \
	PARAM_ROW(key, param_duration, type, member, int64_t, ##__VA_ARGS__)
/* In Unix seconds: a moment, or Unix seconds. */
#define PARAM_MOMENT(key, type, member, ...) \
	PARAM_ROW(key, param_moment, type, member, int64_t, ##__VA_ARGS__)
/* In Unix seconds: how long ago, or Unix seconds. */
#define PARAM_SINCE(key, type, member, ...) \
	PARAM_ROW(key, param_since, type, member, int64_t, ##__VA_ARGS__)

param_read param_text, param_path, param_port, param_bool, param_flag, param_one, param_no,
	param_count, param_number, param_duration, param_moment, param_since;

/* A string member that ends before its length holds a NUL byte. */
bool param_is_whole(const struct param_value *value);

#define PARAM_DURATION_ADVICE "45s, 30m, 2h30m or 1d"

#endif
