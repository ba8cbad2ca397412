/* SPDX-License-Identifier: MIT */
#include "sentinel/kernel_types.h"

#include <bpf/btf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/build.h"
#include "base/cleanup.h"
#include "sentinel/sentinel.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#define NEW_FILE      SENTINEL_TYPES_FILE ".new"
#define NOTES	      "/sys/kernel/notes" /* ELF notes of the running kernel, with its build id */
#define NOTES_SIZE    4096
#define SIZE_MAX_KEPT (64U << 20)

/* What the file begins with; the subset follows. */
struct head {
	char magic[8];
	uint64_t kernel;   /* hash of its notes */
	uint64_t programs; /* of the objects */
	uint64_t size;	   /* of what follows, and its hash */
	uint64_t hash;
};

static const char magic[8] = "pd-btf1";

static int directory = -1;

/* libbpf's function takes no argument: what it gives out is the module's. */
static struct {
	void *bytes;
	size_t size;
} subset;

/* --- in the place of libbpf's own, which reads /sys/kernel/btf/vmlinux --- */

struct btf *__real_btf__load_vmlinux_btf(void);
struct btf *__wrap_btf__load_vmlinux_btf(void);

struct btf *__wrap_btf__load_vmlinux_btf(void)
{
	return subset.bytes ? btf__new(subset.bytes, (uint32_t)subset.size)
			    : __real_btf__load_vmlinux_btf();
}

/* --- the file --- */

/* And of who makes the subset of them. */
static uint64_t hash_of_programs(const struct types_subset_object *objects, size_t n)
{
	uint64_t hash = XXH64(build_own.commit, strlen(build_own.commit), 0);

	for (size_t i = 0; i < n; i++)
		hash = XXH64(objects[i].bytes, objects[i].size, hash);
	return hash;
}

/* False where the kernel does not say which one it is. */
static bool identify_kernel(uint64_t *ret)
{
	char notes[NOTES_SIZE];
	_cleanup_close_ int fd = open(NOTES, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, notes, sizeof(notes));

	if (n <= 0)
		return false;
	*ret = XXH64(notes, (size_t)n, 0);
	return true;
}

static const char *what_is_wrong(const struct stat *st)
{
	if (!S_ISREG(st->st_mode))
		return "it is no file";
	if (st->st_uid != 0 || st->st_mode & (S_IWGRP | S_IWOTH) || st->st_nlink != 1)
		return "somebody else than root may write to it";
	if ((size_t)st->st_size <= sizeof(struct head) || st->st_size > SIZE_MAX_KEPT)
		return "it is damaged";
	return NULL;
}

static const char *read_subset(int fd, const struct head *wanted)
{
	_cleanup_free_ void *bytes = NULL;
	struct head head;
	struct stat st;
	const char *wrong;

	if (fstat(fd, &st))
		return strerror(errno);
	wrong = what_is_wrong(&st);
	if (wrong)
		return wrong;
	if (read(fd, &head, sizeof(head)) != sizeof(head) ||
	    memcmp(head.magic, wanted->magic, sizeof(head.magic)) ||
	    head.size != (size_t)st.st_size - sizeof(head))
		return "it is damaged";
	if (head.kernel != wanted->kernel || head.programs != wanted->programs)
		return "it is of another kernel, or of another build";
	bytes = malloc(head.size);
	if (!bytes)
		return strerror(ENOMEM);
	if (read(fd, bytes, head.size) != (ssize_t)head.size ||
	    XXH64(bytes, head.size, 0) != head.hash)
		return "it is damaged";
	subset.size = head.size;
	subset.bytes = TAKE_PTR(bytes);
	return NULL;
}

static const char *read_file(const struct head *wanted)
{
	_cleanup_close_ int fd = openat(directory, SENTINEL_TYPES_FILE,
					O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? NULL : strerror(errno);
	return read_subset(fd, wanted);
}

/* Without the zeroes at its end, which are a hole in the file: see types_subset.c. */
static bool write_whole(int fd, const struct head *head)
{
	const char *bytes = subset.bytes;
	size_t n = subset.size;

	while (n && !bytes[n - 1])
		n--;
	return write(fd, head, sizeof(*head)) == sizeof(*head) &&
	       write(fd, bytes, n) == (ssize_t)n && !fchmod(fd, 0644) &&
	       !ftruncate(fd, (off_t)(sizeof(*head) + subset.size));
}

/* In the place of what is there.  Not synced: one that a power cut has damaged is made anew. */
static void write_file(struct head *head)
{
	_cleanup_close_ int fd = -1;

	head->size = subset.size;
	head->hash = XXH64(subset.bytes, subset.size, 0);
	unlinkat(directory, NEW_FILE, 0);
	fd = openat(directory, NEW_FILE, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return;
	if (!write_whole(fd, head) || renameat(directory, NEW_FILE, directory, SENTINEL_TYPES_FILE))
		unlinkat(directory, NEW_FILE, 0);
}

/* --- the subset --- */

DEFINE_CLEANUP(struct btf *, btf__free);

static int make_subset(const struct types_subset_object *objects, size_t n)
{
	_cleanup_(btf__freep) struct btf *kernel = __real_btf__load_vmlinux_btf();

	return kernel ? types_subset_new(kernel, objects, n, &subset.bytes, &subset.size) : -errno;
}

void kernel_types_keep_in(int fd)
{
	directory = fd;
}

const char *kernel_types_use_subset(const struct types_subset_object *objects, size_t n)
{
	struct head head = { .programs = hash_of_programs(objects, n) };
	bool keeps = directory >= 0 && geteuid() == 0 && identify_kernel(&head.kernel);
	const char *why;

	memcpy(head.magic, magic, sizeof(head.magic));
	kernel_types_use_all();
	why = keeps ? read_file(&head) : NULL;
	if (!subset.bytes && make_subset(objects, n) == 0 && keeps)
		write_file(&head);
	return why;
}

void kernel_types_use_all(void)
{
	free(TAKE_PTR(subset.bytes));
}
