/* SPDX-License-Identifier: MIT */
#include "tracker/prompts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

/* A table that cannot grow refuses the entry instead of ending the process. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "base/cleanup.h"
#include "base/procfs.h"
#include "base/quota.h"

#define TOKEN_BYTES 16
#define TOKEN_SIZE  (2 * TOKEN_BYTES + 1)
#define TEXT_SIZE   128
#define LINE_DIGITS 20 /* of the first line: the count is filled up with zeros */

struct prompt {
	pid_t sid; /* the key */
	struct process_id leader;
	uid_t uid;
	uint32_t count;
	char token[TOKEN_SIZE]; /* the file's name */
	UT_hash_handle hh;
};

struct prompts {
	char directory[PROMPTS_PATH_SIZE - TOKEN_SIZE];
	int fd; /* of the directory */
	struct quota *quota;
	struct prompt *prompts;
};

static struct prompt *find(const struct prompts *p, pid_t sid)
{
	struct prompt *found;

	HASH_FIND_INT(p->prompts, &sid, found);
	return found;
}

static void forget(struct prompts *p, struct prompt *prompt)
{
	unlinkat(p->fd, prompt->token, 0);
	quota_give_back(p->quota, prompt->uid, QUOTA_PROMPTS, 1);
	HASH_DEL(p->prompts, prompt);
	free(prompt);
}

/* Consumes it, also where it fails. */
static int add(struct prompts *p, struct prompt *prompt)
{
	int r = quota_charge(p->quota, prompt->uid, QUOTA_PROMPTS, 1);

	if (r) {
		free(prompt);
		return r;
	}
	HASH_ADD_INT(p->prompts, sid, prompt);
	if (prompt->hh.tbl)
		return 0;
	quota_give_back(p->quota, prompt->uid, QUOTA_PROMPTS, 1);
	free(prompt);
	return -ENOMEM;
}

/* --- the file -------------------------------------------------------------------------------- */

/* In one write of the same length each time, so that no shell reads half of it. */
static int write_file(const struct prompts *p, const struct prompt *prompt, pid_t refused,
		      int flags)
{
	_cleanup_close_ int fd = openat(p->fd, prompt->token,
					O_WRONLY | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
	char text[TEXT_SIZE], pid[16];
	int zeros = LINE_DIGITS - snprintf(pid, sizeof(pid), "%d", refused);
	int n = snprintf(text, sizeof(text), "%0*" PRIu32 " %s\n%d %" PRIu64 " %u\n", zeros,
			 prompt->count, pid, prompt->leader.pid, prompt->leader.start_ticks,
			 prompt->uid);

	if (fd < 0 || pwrite(fd, text, (size_t)n, 0) != n)
		return errno ? -errno : -EIO;
	return flags && fchmod(fd, 0644) ? -errno : 0;
}

/* What an earlier daemon has left; false for what is none, and of whom nobody is left. */
static bool read_file(const struct prompts *p, const char *name, struct prompt *ret)
{
	_cleanup_close_ int fd = openat(p->fd, name,
					O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	char text[TEXT_SIZE] = "";

	*ret = (struct prompt){ 0 };
	if (fd < 0 || strlen(name) != TOKEN_SIZE - 1 || read(fd, text, sizeof(text) - 1) <= 0 ||
	    sscanf(text, "%" SCNu32 " %*d %d %" SCNu64 " %u", &ret->count, &ret->leader.pid,
		   &ret->leader.start_ticks, &ret->uid) != 4)
		return false;
	strcpy(ret->token, name);
	ret->sid = ret->leader.pid;
	return procfs_alive(&ret->leader) && !find(p, ret->sid);
}

static void read_directory(struct prompts *p)
{
	DIR *dir = opendir(p->directory);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		struct prompt *prompt;

		if (entry->d_name[0] == '.')
			continue;
		prompt = malloc(sizeof(*prompt));
		if (!prompt)
			break;
		if (!read_file(p, entry->d_name, prompt)) {
			free(prompt);
			unlinkat(p->fd, entry->d_name, 0);
		} else if (add(p, prompt)) {
			unlinkat(p->fd, entry->d_name, 0);
		}
	}
	if (dir)
		closedir(dir);
}

/* --- who asks -------------------------------------------------------------------------------- */

/* Shells that have ended leave room for others; nobody else asks after them. */
static void forget_ended(struct prompts *p)
{
	struct prompt *prompt, *next;

	HASH_ITER(hh, p->prompts, prompt, next)
		if (!procfs_alive(&prompt->leader))
			forget(p, prompt);
}

static int make_token(char ret[static TOKEN_SIZE])
{
	uint8_t bytes[TOKEN_BYTES];

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return -EAGAIN;
	for (size_t i = 0; i < sizeof(bytes); i++)
		sprintf(ret + 2 * i, "%02x", bytes[i]);
	return 0;
}

static int make(struct prompts *p, const struct process_id *leader, uid_t uid, struct prompt **ret)
{
	struct prompt *prompt = calloc(1, sizeof(*prompt));
	int r = prompt ? make_token(prompt->token) : -ENOMEM;

	if (r) {
		free(prompt);
		return r;
	}
	prompt->sid = leader->pid;
	prompt->leader = *leader;
	prompt->uid = uid;
	r = add(p, prompt);
	if (r)
		return r;
	r = write_file(p, prompt, 0, O_CREAT | O_EXCL);
	if (r)
		forget(p, prompt);
	else
		*ret = prompt;
	return r;
}

int prompts_file(struct prompts *p, const struct process_id *leader, uid_t uid,
		 char ret[static PROMPTS_PATH_SIZE])
{
	struct prompt *prompt;
	int r = 0;

	forget_ended(p);
	prompt = find(p, leader->pid);
	/* below su the session is the same, and what is told of it another user's */
	if (prompt && (prompt->uid != uid || faccessat(p->fd, prompt->token, F_OK, 0))) {
		forget(p, prompt);
		prompt = NULL;
	}
	if (!prompt)
		r = make(p, leader, uid, &prompt);
	if (!r)
		snprintf(ret, PROMPTS_PATH_SIZE, "%s/%s", p->directory, prompt->token);
	return r;
}

void prompts_note(struct prompts *p, pid_t sid, uid_t uid, pid_t refused)
{
	struct prompt *prompt = sid ? find(p, sid) : NULL;

	if (!prompt || (uid != prompt->uid && prompt->uid != 0))
		return;
	if (!procfs_alive(&prompt->leader)) {
		forget(p, prompt);
		return;
	}
	prompt->count++;
	/* a file that was removed is one that nobody wants to read */
	if (write_file(p, prompt, refused, 0))
		forget(p, prompt);
}

/* --- lifecycle ------------------------------------------------------------------------------- */

int prompts_new(const char *directory, bool shared, struct prompts **ret)
{
	struct prompts *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	p->fd = -1;
	r = quota_new(geteuid(), &p->quota);
	if (!r && snprintf(p->directory, sizeof(p->directory), "%s/" PROMPTS_DIRECTORY_NAME,
			   directory) >= (int)sizeof(p->directory))
		r = -ENAMETOOLONG;
	if (!r && mkdir(p->directory, 0700) && errno != EEXIST)
		r = -errno;
	if (!r) {
		p->fd = open(p->directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		r = p->fd < 0 || fchmod(p->fd, shared ? 0711 : 0700) ? -errno : 0;
	}
	if (r) {
		prompts_free(p);
		return r;
	}
	read_directory(p);
	*ret = p;
	return 0;
}

void prompts_free(struct prompts *p)
{
	struct prompt *prompt, *next;

	if (!p)
		return;
	HASH_ITER(hh, p->prompts, prompt, next) {
		HASH_DEL(p->prompts, prompt);
		free(prompt);
	}
	quota_free(p->quota);
	closep(&p->fd);
	free(p);
}
