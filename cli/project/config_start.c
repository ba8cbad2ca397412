/* SPDX-License-Identifier: MIT */
#include "cli/project/config_start.h"

#include <errno.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/moment.h"
#include "cli/project/config_text.h"

#define US_PER_MS 1000

static int no_memory(const struct config_text *t)
{
	return config_text_fail(t, NULL, "%s", strerror(ENOMEM));
}

/* A text of a service; NULL in *ret where there is none. */
static int read_text(const struct config_text *t, const char *name, struct json_object *service,
		     const char *key, const char *like, char **ret)
{
	struct json_object *value;
	const char *text;

	if (!json_object_object_get_ex(service, key, &value))
		return 0;
	text = json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
	if (!*text || strlen(text) != (size_t)json_object_get_string_len(value))
		return config_text_fail(t, value, "the %s of service '%s' is not written like %s",
					key, name, like);
	*ret = strdup(text);
	return *ret ? 0 : no_memory(t);
}

/* --- lists --- */

static bool is_variable(const char *name)
{
	return *name && !strchr(name, '=');
}

/* A number or a truth value is what it looks like; what has parts is no variable. */
static const char *value_of(struct json_object *value)
{
	switch (json_object_get_type(value)) {
	case json_type_string:
		return strlen(json_object_get_string(value)) ==
				       (size_t)json_object_get_string_len(value)
			       ? json_object_get_string(value)
			       : NULL;
	case json_type_int:
	case json_type_double:
	case json_type_boolean:
		return json_object_get_string(value);
	default:
		return NULL;
	}
}

static int read_env(const struct config_text *t, const char *name, struct json_object *service,
		    struct config_start *ret)
{
	struct json_object *env;

	if (!json_object_object_get_ex(service, "env", &env))
		return 0;
	if (!json_object_is_type(env, json_type_object))
		return config_text_fail(t, env,
					"the env of service '%s' is not written like "
					"{\"NODE_ENV\": \"development\"}",
					name);
	ret->env = calloc((size_t)json_object_object_length(env) + 1, sizeof(*ret->env));
	if (!ret->env)
		return no_memory(t);
	json_object_object_foreach(env, key, value) {
		const char *text = value_of(value);

		if (!text || !is_variable(key))
			return config_text_fail(t, value,
						"the variable \"%.100s\" of service '%s' is not "
						"written like \"NODE_ENV\": \"development\"",
						key, name);
		if (asprintf(&ret->env[ret->n_env], "%s=%s", key, text) < 0) {
			ret->env[ret->n_env] = NULL;
			return no_memory(t);
		}
		ret->n_env++;
	}
	return 0;
}

static int read_needs(const struct config_text *t, const char *name, struct json_object *service,
		      struct config_start *ret)
{
	struct json_object *needs;
	size_t n;

	if (!json_object_object_get_ex(service, "needs", &needs))
		return 0;
	n = json_object_is_type(needs, json_type_array) ? json_object_array_length(needs) : 0;
	ret->needs = calloc(n + 1, sizeof(*ret->needs));
	if (!ret->needs)
		return no_memory(t);
	for (size_t i = 0; i < n; i++) {
		struct json_object *need = json_object_array_get_idx(needs, i);

		if (!json_object_is_type(need, json_type_string))
			n = 0;
		else if ((ret->needs[ret->n_needs] = strdup(json_object_get_string(need))))
			ret->n_needs++;
		else
			return no_memory(t);
	}
	if (!n &&
	    !(json_object_is_type(needs, json_type_array) && !json_object_array_length(needs)))
		return config_text_fail(
			t, needs, "the needs of service '%s' are no list like [\"api\"]", name);
	return 0;
}

/* --- words --- */

static int read_flag(const struct config_text *t, const char *name, struct json_object *service,
		     const char *key, bool *ret)
{
	struct json_object *value;

	if (!json_object_object_get_ex(service, key, &value))
		return 0;
	if (!json_object_is_type(value, json_type_boolean))
		return config_text_fail(t, value, "the %s of service '%s' is not true or false",
					key, name);
	*ret = json_object_get_boolean(value);
	return 0;
}

static int read_restart(const struct config_text *t, const char *name, struct json_object *service,
			struct config_start *ret)
{
	_cleanup_free_ char *text = NULL;
	int r = read_text(t, name, service, "restart", "\"on-failure\" or \"never\"", &text);

	if (r || !text)
		return r;
	ret->restarts = strcmp(text, "on-failure") == 0;
	if (ret->restarts || strcmp(text, "never") == 0)
		return 0;
	return config_text_fail(
		t, json_object_object_get(service, "restart"),
		"the restart of service '%s' is \"%.32s\"; there are \"on-failure\" "
		"and \"never\"",
		name, text);
}

/* Those by which people end servers; with or without "SIG". */
static int signal_of(const char *text)
{
	static const struct {
		const char *name;
		int number;
	} rows[] = {
		{ "TERM", SIGTERM }, { "INT", SIGINT },	  { "QUIT", SIGQUIT }, { "HUP", SIGHUP },
		{ "USR1", SIGUSR1 }, { "USR2", SIGUSR2 }, { "KILL", SIGKILL },
	};
	const char *name = strncmp(text, "SIG", 3) == 0 ? text + 3 : text;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (strcmp(rows[i].name, name) == 0)
			return rows[i].number;
	return 0;
}

static int read_stop(const struct config_text *t, const char *name, struct json_object *service,
		     struct config_start *ret)
{
	_cleanup_free_ char *sig = NULL, *timeout = NULL;
	int64_t us;
	int r = read_text(t, name, service, "stopSignal", "\"SIGINT\"", &sig);

	r = r ?: read_text(t, name, service, "stopTimeout", "\"10s\"", &timeout);
	if (r)
		return r;
	if (sig && !(ret->stop_signal = signal_of(sig)))
		return config_text_fail(t, json_object_object_get(service, "stopSignal"),
					"the stopSignal of service '%s' is \"%.32s\"; there are "
					"SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, "
					"SIGKILL",
					name, sig);
	if (timeout && duration_parse_us(timeout, &us, NULL))
		return config_text_fail(t, json_object_object_get(service, "stopTimeout"),
					"the stopTimeout of service '%s' is no duration like "
					"\"10s\"",
					name);
	if (timeout)
		ret->stop_timeout_ms = us / US_PER_MS;
	return 0;
}

/* --- all of it --- */

static bool add_hardcoded(struct json_object *value, struct config_start *ret)
{
	int64_t port = json_object_is_type(value, json_type_int) ? json_object_get_int64(value) : 0;

	if (port < 1 || port > UINT16_MAX || ret->n_hardcoded == RUN_HARDCODED_MAX)
		return false;
	for (size_t i = 0; i < ret->n_hardcoded; i++)
		if (ret->hardcoded[i] == port)
			return false;
	ret->hardcoded[ret->n_hardcoded++] = (uint16_t)port;
	return true;
}

static int read_hardcoded(const struct config_text *t, const char *name,
			  struct json_object *service, struct config_start *ret)
{
	struct json_object *value;
	bool list, ok = true;

	if (!json_object_object_get_ex(service, "hardcoded", &value))
		return 0;
	list = json_object_is_type(value, json_type_array);
	for (size_t i = 0; list && ok && i < json_object_array_length(value); i++)
		ok = add_hardcoded(json_object_array_get_idx(value, i), ret);
	if (list ? ok : add_hardcoded(value, ret))
		return 0;
	return config_text_fail(t, value,
				"the hardcoded of service '%s' is not written like 3000 or "
				"[3000, 3001]: at most %d ports, each once",
				name, RUN_HARDCODED_MAX);
}

int config_start_read(const struct config_text *t, const char *name, struct json_object *service,
		      struct config_start *ret)
{
	int r;

	*ret = (struct config_start){ .stop_signal = SIGTERM,
				      .stop_timeout_ms = CONFIG_STOP_TIMEOUT_MS };
	r = read_text(t, name, service, "cmd", "\"npm run dev -- --port ${PORT}\"", &ret->cmd);
	r = r ?: read_text(t, name, service, "cwd", "\"packages/api\"", &ret->cwd);
	r = r ?: read_env(t, name, service, ret);
	r = r ?: read_needs(t, name, service, ret);
	r = r ?: read_hardcoded(t, name, service, ret);
	r = r ?: read_flag(t, name, service, "transparent", &ret->transparent);
	r = r ?: read_flag(t, name, service, "protect", &ret->protect);
	r = r ?: read_restart(t, name, service, ret);
	r = r ?: read_stop(t, name, service, ret);
	if (r)
		config_start_deinit(ret);
	return r;
}

static void free_list(char **list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(list[i]);
	free(list);
}

void config_start_deinit(struct config_start *s)
{
	free(s->cmd);
	free(s->cwd);
	free_list(s->env, s->n_env);
	free_list(s->needs, s->n_needs);
	*s = (struct config_start){ 0 };
}

#define FNV_PRIME UINT64_C(1099511628211)

/* FNV-1a, with the NUL: two texts one behind the other are no third one. */
static uint64_t add_to_hash(uint64_t hash, const char *text)
{
	const char *c = text ? text : "";

	do
		hash = (hash ^ (unsigned char)*c) * FNV_PRIME;
	while (*c++);
	return hash;
}

uint64_t config_start_hash(const struct config_start *s)
{
	uint64_t hash = add_to_hash(UINT64_C(14695981039346656037), s->cmd);

	hash = add_to_hash(hash, s->cwd);
	for (size_t i = 0; i < s->n_env; i++)
		hash = add_to_hash(hash, s->env[i]);
	for (size_t i = 0; i < s->n_hardcoded; i++)
		hash = (hash ^ s->hardcoded[i]) * FNV_PRIME;
	if (s->transparent)
		hash = add_to_hash(hash, "transparent");
	return add_to_hash(hash, s->restarts ? "on-failure" : "never");
}
