/* SPDX-License-Identifier: MIT */
/*
 * The holder is dead and its end takes long: its descriptors are closed in order, and the first one
 * is a file of a FUSE server that does not answer.  A process with much memory does the same for
 * some ten milliseconds.
 */
#include <linux/fuse.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "case.h"

static char mount_point[64];
static int fuse_device;

static void remove_mount_point(void)
{
	end_descendants();
	umount2(mount_point, MNT_DETACH);
	unlink(mount_point);
}

static void fuse_reply(const struct fuse_in_header *to, int error, const void *body, size_t size)
{
	char answer[256];
	struct fuse_out_header head = { .len = (uint32_t)(sizeof(head) + size),
					.error = -error,
					.unique = to->unique };

	memcpy(answer, &head, sizeof(head));
	memcpy(answer + sizeof(head), body, size);
	need(write(fuse_device, answer, head.len) == (ssize_t)head.len);
}

/* Knows how to begin; what it does not implement the kernel does alone.  A flush waits for us. */
static void run_fuse(struct scene *s)
{
	const struct fuse_init_out init = { .major = FUSE_KERNEL_VERSION,
					    .minor = FUSE_KERNEL_MINOR_VERSION,
					    .max_write = 4096 };
	char request[FUSE_MIN_READ_BUFFER + 4096];
	const struct fuse_in_header *head = (const void *)request;

	while (read(fuse_device, request, sizeof(request)) > 0) {
		if (head->opcode == FUSE_FLUSH)
			tell(s, 0);
		if (head->opcode == FUSE_INIT)
			fuse_reply(head, 0, &init, sizeof(init));
		else if (head->opcode != FUSE_FORGET && head->opcode != FUSE_INTERRUPT)
			fuse_reply(head, ENOSYS, "", 0);
		if (head->opcode == FUSE_INIT)
			tell(s, 0);
	}
}

static void run_slow_to_close(struct scene *s)
{
	need(open(mount_point, O_RDONLY | O_CLOEXEC) >= 0);
	holder_listen(s);
	tell(s, 0);
}

/* The root of the file system is a regular file: there is nothing but to open it. */
static void mount_fuse(void)
{
	char options[64];
	int fd;

	snprintf(mount_point, sizeof(mount_point), "/tmp/pd-case-%d", getpid());
	fuse_device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fuse_device < 0)
		skip("no FUSE here");
	need(unshare(CLONE_NEWNS) == 0 && mount("", "/", "", MS_REC | MS_PRIVATE, "") == 0);
	fd = open(mount_point, O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	need(fd >= 0);
	close(fd);
	atexit(remove_mount_point);
	snprintf(options, sizeof(options), "fd=%d,rootmode=100000,user_id=0,group_id=0",
		 fuse_device);
	need(mount("pd-case", mount_point, "fuse", MS_NOSUID | MS_NODEV, options) == 0);
}

static void start_and_end(struct scene *s)
{
	mount_fuse();
	s->server = actor_start(s, "fuse", run_fuse);
	close(fuse_device);
	actor_go(&s->server);
	s->first = actor_start(s, "holder", run_slow_to_close);
	must_be_named(s, s->first.pid);
	actor_go(&s->first);
	actor_hear(&s->server); /* the holder closes what it had */
}

static void let_it_end(struct scene *s)
{
	actor_go(&s->server);
	actor_wait(&s->first);
}

const struct scenario scenario = {
	.verdict = "holder_exiting",
	.maybe_incomplete = true, /* a descriptor table that is being taken down cannot be read */
	.set_up = start_and_end,
	.remedy = let_it_end,
};
