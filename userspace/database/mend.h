/* SPDX-License-Identifier: MIT */
/*
 * A database with damaged pages: what can be read moves into a new file, and the damaged one is set
 * aside as it is, for whoever can read more of it.
 */
#ifndef DATABASE_MEND_H
#define DATABASE_MEND_H

#include <sqlite3.h>
#include <stddef.h>

#define MEND_FAULT_SIZE 128 /* of what a check finds first */

/*
 * Looks through every page, and through the claims' indexes entry by entry: one that is lost would
 * let a port be given twice.  0; -EUCLEAN and the fault in ret_fault; another negative errno.
 */
int mend_check(sqlite3 *db, char ret_fault[MEND_FAULT_SIZE]);

/*
 * Puts a new file in the place of the one at path, which nobody in this process has open.  Rows of
 * a damaged table are taken over from both of its ends as far as they can be read.  0, and in
 * ret_said what was lost and where the damaged file is.  -EUCLEAN when claims cannot be read, or
 * cannot be read whole: nothing was changed then.  Another negative errno: not now, likewise.
 */
int mend_file(const char *path, char *ret_said, size_t size);

/* "PATH.damaged-20240228-024700", where nothing is yet. */
int mend_name_aside(const char *path, char *ret, size_t size);

#endif
