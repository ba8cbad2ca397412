/* SPDX-License-Identifier: MIT */
#include "base/health_path.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/text.h"

static const struct {
	const char *prefix;
	bool https;
} schemes[] = {
	{ "http:", false },
	{ "https:", true },
};

/* What a service of this machine can be called in a URL that people paste. */
static const char *const hosts[] = { "localhost", "127.0.0.1", "[::1]" };

static int fail(const char **ret_why, const char *why)
{
	if (ret_why)
		*ret_why = why;
	return -EINVAL;
}

/* The text behind "//localhost"; NULL and why when another host, or a port, is named. */
static const char *skip_host(const char *text, const char **why)
{
	const char *host = text + 2;

	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
		size_t n = strlen(hosts[i]);

		if (strncasecmp(host, hosts[i], n) != 0)
			continue;
		if (host[n] == ':') {
			*why = "the port is the service's own, leave it out";
			return NULL;
		}
		if (host[n] == '/' || host[n] == '\0')
			return host[n] ? host + n : "/";
	}
	*why = "the host of a health check is localhost";
	return NULL;
}

/*
 * What stands before the path where it is stored.  Behind "https:", two slashes would begin a host;
 * without a scheme they are a path.
 */
static const char *prefix_of(const struct health_path *path)
{
	if (!path->https)
		return "";
	return path->path[1] == '/' ? "https://localhost" : "https:";
}

int health_path_parse(const char *text, struct health_path *ret, const char **ret_why)
{
	struct health_path parsed = { .path = text };
	const char *why = NULL;
	bool has_scheme = false;

	if (!text_is_utf8(text, strlen(text)))
		return fail(ret_why, "it is not UTF-8");
	for (size_t i = 0; i < ARRAY_SIZE(schemes) && !has_scheme; i++) {
		size_t n = strlen(schemes[i].prefix);

		has_scheme = strncasecmp(text, schemes[i].prefix, n) == 0;
		if (!has_scheme)
			continue;
		parsed = (struct health_path){ schemes[i].https, text + n };
	}
	if (has_scheme && strncmp(parsed.path, "//", 2) == 0)
		parsed.path = skip_host(parsed.path, &why);
	if (!parsed.path)
		return fail(ret_why, why);
	if (*parsed.path != '/')
		return fail(ret_why, "it is no path of a URL");
	/* blanks and control characters would end the request line that it is sent in */
	for (const unsigned char *p = (const unsigned char *)parsed.path; *p; p++)
		if (*p <= ' ' || *p == 0x7f || *p == '#')
			return fail(ret_why, "it has a blank, a control character or a #");
	/* as it is stored, so that it can be read again */
	if (strlen(prefix_of(&parsed)) + strlen(parsed.path) > HEALTH_PATH_MAX_BYTES)
		return fail(ret_why, "it is longer than 1024 bytes");
	*ret = parsed;
	return 0;
}

char *health_path_format(const struct health_path *path, char ret[static HEALTH_PATH_SIZE])
{
	snprintf(ret, HEALTH_PATH_SIZE, "%s%s", prefix_of(path), path->path);
	return ret;
}
