/* SPDX-License-Identifier: MIT */
/* Users: what they are called, and who may see what belongs to whom. */
#ifndef BASE_USER_H
#define BASE_USER_H

#include <stdbool.h>
#include <sys/types.h>

#define USER_NAME_SIZE 64 /* a longer name is cut */

/* The name of a user, digits where there is none, NULL for PROCESS_UID_UNKNOWN.  Static storage,
 * valid until the next call. */
const char *user_name(uid_t uid);

/* The name as it stands in a service's id, "shop:web@bob" (identity.h): the number of a user whose
 * name cannot stand there.  Valid as above. */
const char *user_word(uid_t uid);

/* The user of a name, or of a number.  False when there is none. */
bool user_find(const char *name, uid_t *ret);

/* May `viewer` see what belongs to `owner`?  Root may, and everybody what is their own. */
bool user_may_see(uid_t viewer, uid_t owner);

#endif
