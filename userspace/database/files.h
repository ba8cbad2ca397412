/* SPDX-License-Identifier: MIT */
/*
 * The files of a database, seen from outside: the directory that they lie in, who may read them,
 * and whether their paths still lead to what is open.
 */
#ifndef DATABASE_FILES_H
#define DATABASE_FILES_H

#include <stddef.h>
#include <sys/types.h>

#define FILES_N 3 /* the database, its write-ahead log, the log's index */

struct files {
	char *paths[FILES_N];
	struct {
		dev_t device;
		ino_t inode;
	} open[FILES_N]; /* what each path led to when it was opened */
};

/* Whether files can be made beside the path.  0, or a negative errno with a sentence. */
int files_check_directory(const char *path, char *ret_error, size_t size);

/* Creates the database, empty and for its user alone; one that is there is left as it is. */
int files_create(const char *path, char *ret_error, size_t size);

/*
 * For files that are open and ours: takes from everybody else what an older umask or a copy gave
 * them, and remembers which files they are.  0, or a negative errno with a sentence in ret_error;
 * files_deinit() in either case.
 */
int files_init(struct files *f, const char *path, char *ret_error, size_t size);
void files_deinit(struct files *f);

/*
 * 0 while each path leads to the file that is open.  Else -ESTALE and a sentence in ret_error
 * (which may be NULL): what is written into a file that no path leads to is lost with the last
 * descriptor of it.
 */
int files_check(const struct files *f, char *ret_error, size_t size);

/* A copy for its user alone, where nothing is yet, on the disk when it returns.  0, negative errno.
 */
int files_copy(const char *from, const char *to);

#endif
