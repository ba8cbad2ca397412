/* SPDX-License-Identifier: MIT */
#include "base/user.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/identity.h"
#include "base/process.h"

#define USER_NAMES	 16  /* more different users than that rarely hold ports */
#define USER_NAME_KEEP_S 300 /* a renamed user shows up after this */
#define USER_BUFFER_SIZE 4096

const char *user_name(uid_t uid)
{
	static struct {
		uid_t uid;
		time_t until;
		char name[USER_NAME_SIZE];
	} cache[USER_NAMES];
	static unsigned next;
	time_t now = time(NULL);
	char buffer[USER_BUFFER_SIZE];
	struct passwd entry, *found = NULL;

	if (uid == PROCESS_UID_UNKNOWN)
		return NULL;
	for (unsigned i = 0; i < USER_NAMES; i++)
		if (cache[i].uid == uid && cache[i].until > now)
			return cache[i].name;
	next = (next + 1) % USER_NAMES;
	cache[next].uid = uid;
	cache[next].until = now + USER_NAME_KEEP_S;
	if (!getpwuid_r(uid, &entry, buffer, sizeof(buffer), &found) && found)
		snprintf(cache[next].name, sizeof(cache[next].name), "%s", entry.pw_name);
	else
		snprintf(cache[next].name, sizeof(cache[next].name), "%u", uid);
	return cache[next].name;
}

const char *user_word(uid_t uid)
{
	static char number[16];
	const char *name = user_name(uid);
	char id[IDENTITY_MAX + 1];

	snprintf(id, sizeof(id), "x@%s", name ? name : "");
	if (name && strlen(name) <= IDENTITY_USER_MAX && !identity_check_of_user(id, NULL))
		return name;
	snprintf(number, sizeof(number), "%u", uid);
	return number;
}

bool user_find(const char *name, uid_t *ret)
{
	char buffer[USER_BUFFER_SIZE], *end;
	struct passwd entry, *found = NULL;
	unsigned long number;

	if (!getpwnam_r(name, &entry, buffer, sizeof(buffer), &found) && found) {
		*ret = entry.pw_uid;
		return true;
	}
	errno = 0;
	number = strtoul(name, &end, 10);
	if (errno || *end || *name < '0' || *name > '9' || number >= PROCESS_UID_UNKNOWN)
		return false;
	*ret = (uid_t)number;
	return true;
}

bool user_may_see(uid_t viewer, uid_t owner)
{
	return viewer == 0 || (viewer == owner && owner != PROCESS_UID_UNKNOWN);
}
