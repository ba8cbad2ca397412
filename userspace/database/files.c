/* SPDX-License-Identifier: MIT */
#include "database/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

#define OTHERS 077 /* the mode bits that are not the owner's */

static const char *const suffixes[] = { "", "-wal", "-shm" };
_Static_assert(ARRAY_SIZE(suffixes) == FILES_N, "each file has its suffix");

/*
 * The log, its index and the journal lie beside the file, so the directory has to be writable;
 * SQLite alone would say "unable to open database file".
 */
int files_check_directory(const char *path, char *ret_error, size_t size)
{
	_cleanup_free_ char *directory = NULL;
	const char *slash = strrchr(path, '/');
	size_t length = slash ? (size_t)(slash - path) : 0;

	directory = !slash ? strdup(".") : length == 0 ? strdup("/") : strndup(path, length);
	if (!directory)
		return -ENOMEM;
	if (faccessat(AT_FDCWD, directory, W_OK | X_OK, AT_EACCESS) < 0) {
		int error = -errno;

		snprintf(ret_error, size,
			 "the directory %s cannot be written to: %s (give it to its user, or "
			 "choose another place with PORT_DADDY_HOME)",
			 directory, strerror(-error));
		return error;
	}
	return 0;
}

/* SQLite would create it readable for everybody; it holds the directories that people work in. */
int files_create(const char *path, char *ret_error, size_t size)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0 && errno != EEXIST) {
		int error = -errno;

		snprintf(ret_error, size, "cannot create %s: %s", path, strerror(-error));
		return error;
	}
	return 0;
}

static int init_one(struct files *f, size_t i)
{
	struct stat st;

	if (stat(f->paths[i], &st) < 0)
		return -errno;
	f->open[i].device = st.st_dev;
	f->open[i].inode = st.st_ino;
	/* another user's file, which we may write by its group, is that user's to close */
	if ((st.st_mode & OTHERS) && chmod(f->paths[i], st.st_mode & 07777 & ~OTHERS) < 0 &&
	    errno != EPERM)
		return -errno;
	return 0;
}

int files_init(struct files *f, const char *path, char *ret_error, size_t size)
{
	int error = 0;

	for (size_t i = 0; error == 0 && i < FILES_N; i++) {
		if (asprintf(&f->paths[i], "%s%s", path, suffixes[i]) < 0) {
			f->paths[i] = NULL;
			return -ENOMEM;
		}
		error = init_one(f, i);
		if (error < 0)
			snprintf(ret_error, size, "%s cannot be made private: %s", f->paths[i],
				 strerror(-error));
	}
	return error;
}

void files_deinit(struct files *f)
{
	for (size_t i = 0; i < FILES_N; i++)
		free(f->paths[i]);
	*f = (struct files){ 0 };
}

int files_check(const struct files *f, char *ret_error, size_t size)
{
	for (size_t i = 0; i < FILES_N; i++) {
		struct stat st;
		int error = stat(f->paths[i], &st) < 0 ? errno : 0;

		if (error == 0 && st.st_dev == f->open[i].device && st.st_ino == f->open[i].inode)
			continue;
		if (ret_error)
			snprintf(ret_error, size,
				 "%s %s since the daemon opened it: put it back, or run `pd daemon "
				 "stop`, "
				 "and the next pd daemon starts with what is there",
				 f->paths[i],
				 error == 0 || error == ENOENT ? "was removed or replaced"
							       : "cannot be looked at any more");
		return -ESTALE;
	}
	return 0;
}

int files_copy(const char *from, const char *to)
{
	_cleanup_close_ int in = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	_cleanup_close_ int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	struct stat st;
	off_t at = 0;

	if (in < 0 || out < 0 || fstat(in, &st) < 0)
		return -errno;
	while (at < st.st_size)
		if (sendfile(out, in, &at, (size_t)(st.st_size - at)) <= 0)
			return errno ? -errno : -EIO;
	return fsync(out) < 0 ? -errno : 0;
}
