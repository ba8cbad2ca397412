/* SPDX-License-Identifier: MIT */
#include "base/build.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const struct build build_own = { PD_VERSION, PD_COMMIT, PD_COMMITTED_AT };

_Static_assert(sizeof(PD_VERSION) <= BUILD_VERSION_SIZE && sizeof(PD_COMMIT) <= BUILD_COMMIT_SIZE,
	       "the own build is told whole");

const char *build_text(const struct build *b, char ret[BUILD_TEXT_SIZE])
{
	snprintf(ret, BUILD_TEXT_SIZE, "%s%s%s%s", b->version, *b->commit ? " (" : "", b->commit,
		 *b->commit ? ")" : "");
	return ret;
}

const char *build_product(const char *program, char ret[BUILD_PRODUCT_SIZE])
{
	snprintf(ret, BUILD_PRODUCT_SIZE, "%s/%s (%s; %" PRId64 ")", program, build_own.version,
		 build_own.commit, build_own.committed_at);
	return ret;
}

bool build_parse(const char *product, const char *program, struct build *ret)
{
	size_t n = strlen(program);
	const char *rest;

	*ret = (struct build){ 0 };
	if (strncmp(product, program, n) || product[n] != '/' ||
	    sscanf(product + n + 1, "%23[0-9A-Za-z.~-]", ret->version) != 1)
		return false;
	rest = strchr(product, '(');
	/* a commit of its own is all that is between the parentheses where there is no time */
	if (rest && sscanf(rest, "(%23[0-9a-f+]", ret->commit) != 1)
		*ret->commit = '\0';
	rest = rest ? strchr(rest, ';') : NULL;
	if (rest && sscanf(rest, "; %15" SCNd64, &ret->committed_at) != 1)
		ret->committed_at = 0;
	return true;
}

bool build_is_own(const struct build *b)
{
	return !strcmp(b->version, build_own.version) && !strcmp(b->commit, build_own.commit);
}

const char *build_age(const struct build *b)
{
	/* who says nothing about it was built before anybody did */
	if (!*b->version || b->committed_at < 0)
		return "older";
	if (!b->committed_at || b->committed_at == build_own.committed_at)
		return "another";
	return b->committed_at < build_own.committed_at ? "older" : "newer";
}
